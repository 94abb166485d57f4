package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// More rooms than the server gives at once are listed page by page, those of the site before others; beyond a bound a person
// has to write how the name begins.
func TestPageManyRooms(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	labelTables(t, server, 1130)
	browser := newBrowser(t, path)
	openWindow(t, browser, "olga", server.url()).join("!lounge")
	percy := openWindow(t, browser, "percy", server.url())
	const more, many = `!document.querySelector("[data-testid=directory-more]").hidden`, `!document.getElementById("directory-many").hidden`
	listed := func(n int, and string) {
		t.Helper()
		percy.until(fmt.Sprintf("%d rooms are listed", n), fmt.Sprintf(`document.querySelectorAll("[data-testid=directory-room]").length === %d && %s`, n, and))
	}
	at := func(i int) string {
		t.Helper()
		return percy.text(fmt.Sprintf(`[...document.querySelectorAll("[data-testid=directory-room]")].at(%d).dataset.room`, i))
	}
	listed(100, more)
	if first := at(0); first != "table-0000" {
		t.Errorf("the first room is %s; those of the site come first", first)
	}

	percy.run("search", chromedp.SendKeys(id("add-room"), "table-1"))
	listed(100, more)
	percy.until("they are those", `document.querySelector("[data-testid=directory-room]").dataset.room === "table-1000"`)
	last := at(-1)
	percy.click(`[data-testid=directory-more]`)
	listed(130, "!("+more+") && !("+many+")")
	percy.holds("the focus is not lost with the button", `document.activeElement !== document.body && document.activeElement.checkVisibility()`)
	if at(99) != last {
		t.Errorf("the next page has moved the one before: %s stands where %s was", at(99), last)
	}
	if n := percy.text(`String(new Set([...document.querySelectorAll("[data-testid=directory-room]")].map((e) => e.dataset.room)).size)`); n != "130" {
		t.Errorf("%s different rooms are listed, want 130", n)
	}

	percy.rewrite("add-room", "t")
	percy.until("the first page is listed", `document.querySelector("[data-testid=directory-room]").dataset.room === "table-0000"`)
	listed(100, more)
	for n := 200; n < 1000; n += 100 {
		percy.click(`[data-testid=directory-more]`)
		listed(n, more)
	}
	percy.click(`[data-testid=directory-more]`)
	listed(1000, many+" && !("+more+")")
	percy.rewrite("add-room", "!l")
	listed(1, "!("+more+") && !("+many+")")
	if at(0) != "!lounge" {
		t.Errorf("what is found is %s", at(0))
	}
	percy.content(t)
}

// labelTables gives labels to rooms table-0000 and so on.
func labelTables(t *testing.T, server *roomd, n int) {
	t.Helper()
	nc, err := nats.Connect("nats://" + server.natsAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i := range n {
		answer, err := nc.Request(fmt.Sprintf("room.table-%04d.label", i), fmt.Appendf(nil, `{"title":"Table %d"}`, i), stepTimeout)
		if err != nil || !strings.Contains(string(answer.Data), `"ack"`) {
			t.Fatalf("the label is answered %+v, %v", answer, err)
		}
	}
}

// Somebody is found among more people than the server gives at once.
func TestPageManyPeople(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.args = []string{"--connect-rate", "0"}
	server.start()
	const n = 230
	names := make(map[string]string) // by uid
	last := ""
	for i := range n {
		c, err := client.Dial(t.Context(), client.Config{URL: "ws://" + server.httpAddr + "/ws", Username: fmt.Sprintf("person %03d", i)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		uid := c.Welcome().UID
		names[uid] = fmt.Sprintf("person %03d", i)
		last = max(last, uid)
	}
	percy := openWindow(t, newBrowser(t, path), "percy", server.url())
	percy.until("everybody is counted", fmt.Sprintf(`document.querySelector("[data-testid=people-count]").textContent.includes("%d")`, n+1))
	found := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll("[data-testid=person] .person-name")].map((e) => e.textContent).join() === %q`, name)
	}
	percy.run("search for who is listed last", chromedp.SendKeys(id("people-find"), strings.ToUpper(names[last])))
	percy.until("this one is found, and nobody else", found(names[last]))
	percy.run("search for nobody", chromedp.SendKeys(id("people-find"), "x"))
	percy.until("it says that there is nobody", `!document.getElementById("people-none").hidden && document.querySelector("[data-testid=person]") === null`)
	percy.rewrite("people-find", "person")
	percy.until("people are listed", `document.querySelectorAll("[data-testid=person]").length >= 60`)
	percy.run("scroll to the end", chromedp.Evaluate[chromedp.Void](`new Promise((done) => {
		const view = document.getElementById("people-scroll");
		const more = () => {
			view.scrollTop = view.scrollHeight;
			if (document.querySelectorAll("[data-testid=person]").length === `+fmt.Sprint(n)+`) { watch.disconnect(); done(); }
		};
		const watch = new MutationObserver(more);
		watch.observe(document.getElementById("people-list"), { childList: true });
		more();
	})`, chromedp.EvalAwaitPromise))
	percy.content(t)
}

// rewrite writes something else into a field.
func (w *window) rewrite(field, text string) {
	w.t.Helper()
	w.run("mark what is in "+field, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("[data-testid=%s]").select()`, field)))
	w.run("write "+text, chromedp.SendKeys(id(field), text))
}
