//go:build unix

package browser

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A message that was written to a server that died before it answered may be stored, and the page says so: when it comes back
// as somebody whom the server does not know by that id, and when it comes back too late to send it again by itself. What to do
// is up to who wrote it.
func TestPagePerhapsSent(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	percy.say("before")
	percy.hears("before")
	unsure := func(text, why string) {
		t.Helper()
		percy.until("it is perhaps sent: "+why, fmt.Sprintf(`(() => {
			const entry = document.querySelector("[data-testid=outgoing][data-status=failed]");
			return entry?.textContent.includes(%q) && entry.querySelector("[role=alert]").textContent.includes("Perhaps sent.") && entry.textContent.includes(%q);
		})()`, text, why))
	}

	percy.dies(server, "in the air")
	server.start() // with the guests' key gone, percy is another one
	percy.run("connect at once", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=reconnect]").click()`))
	percy.connected()
	unsure("in the air", "another guest")
	percy.shoot("perhaps-sent")
	percy.click(`[data-testid=retry]`)
	percy.hears("in the air")
	percy.until("nothing waits", `document.querySelector("[data-testid=outgoing]") === null`)
	percy.holds("one can write on", `document.activeElement === document.querySelector("[data-testid=composer]")`)
	if n := count(percy.texts(), "in the air"); n != 1 {
		t.Errorf("what was sent again is there %d times", n)
	}

	store := server.store
	percy.dies(server, "too late")
	server.store = store // what was stored is there again
	skip(t, percy)
	percy.run("go away", chromedp.Navigate("about:blank"))
	server.start()
	percy.run("come back", chromedp.Navigate(server.url()))
	percy.connected()
	unsure("too late", "look whether it is there")
	percy.run("go to the button", chromedp.Focus(id("discard")), chromedp.KeyEvent(kb.Enter))
	percy.until("it is gone", `document.querySelector("[data-testid=outgoing]") === null`)
	percy.holds("one can write on", `document.activeElement === document.querySelector("[data-testid=composer]")`)
	percy.say("written after it")
	percy.hears("written after it")
	percy.content(t)
}

// A bet that was written to a server that died before it answered may count or not. The page says so, and what lies on the
// table is what counts.
func TestTablePerhapsTaken(t *testing.T) {
	path := needChromium(t)
	server := tableServer(t)
	mei := sitDown(t, newBrowser(t, path), "Mei", server)
	const shoe = `document.querySelector("[data-testid=shoe] .hash")?.textContent`
	promised := mei.text(shoe)
	if err := server.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	mei.click(`[data-testid=spot][data-on=banker]`)
	mei.until("it is on its way", `document.querySelector("[data-testid=spot][data-on=banker]").dataset.underway === "true"`)
	mei.hasChips("9,900", "100")
	server.kill()
	server.store = t.TempDir()
	server.start() // with the guests' key gone, she is another one
	mei.connected()
	mei.until("it is perhaps taken", `document.querySelector("[data-testid=bet-problem]").textContent.startsWith("Perhaps taken")`)
	mei.until("another table's first round is open", fmt.Sprintf(`%s !== %q && document.querySelector("[data-testid=table]").dataset.phase === "betting"`, shoe, promised))
	mei.onTable("banker", "", "")
	mei.hasChips("10,000", "0")
	mei.shoot("perhaps-taken")
	mei.click(`[data-testid=spot][data-on=banker]`)
	mei.onTable("banker", "100", "100")
	mei.until("that is over", `document.querySelector("[data-testid=bet-problem]").hidden`)
	mei.content(t)
}

// dies has w write a message to a server that never answers: it is stopped, and then it is killed. Its store is lost with it.
func (w *window) dies(server *roomd, text string) {
	w.t.Helper()
	if err := server.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		w.t.Fatal(err)
	}
	w.say(text)
	w.until("it is under way", fmt.Sprintf(`document.querySelector("[data-testid=outgoing][data-status=pending]")?.textContent.includes(%q)`, text))
	server.kill()
	server.store = w.t.TempDir()
	w.until("the loss is shown", `document.querySelector("[data-testid=connection]")?.dataset.state === "reconnecting"`)
}

// skip lets the page believe, from its next load on, that two minutes more have passed.
func skip(t *testing.T, w *window) {
	t.Helper()
	const script = `{ const now = Date.now.bind(Date); Date.now = () => now() + 120_000; }`
	if _, err := chromedp.Call(w.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
}
