package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestJavaScriptClient is about what /client.js does only in a browser: the life of a page. All else is tested in Node, by
// cmd/internal/jsclient.
func TestJavaScriptClient(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.args = []string{"--presence-grace", "1h"} // nobody leaves by mistake
	server.start()
	browser := newBrowser(t, path)

	t.Run("with nothing but its address", func(t *testing.T) {
		p := openPage(t, browser, server.url())
		p.eval("connect", `window.c = connect({ guest: { username: "percy" } }); window.r = c.join("r"); await r.joined;`)
		p.eval("send", `const heard = new Promise((done) => r.on("new_message", done));
			await r.send("send_message", { message: "hi" });
			if ((await heard).username !== "percy") throw new Error("said by somebody else");`)
	})
	for _, readme := range []string{"README.md", "session/client/js/README.md"} {
		t.Run("what "+readme+" shows", func(t *testing.T) {
			p := openPage(t, browser, server.url())
			p.eval("watch the console", `window.logged = new Promise((done) => { console.log = (...words) => done(words.join(" ")); });`)
			p.eval("paste", snippet(t, readme)+`
				if (await logged !== "percy hi") throw new Error("it logged " + await logged);`)
		})
	}
	t.Run("no listener is left behind", func(t *testing.T) { listenersGo(t, openPage(t, browser, server.url())) })
	t.Run("a listener that throws is an error of the page", func(t *testing.T) {
		p := openPage(t, browser, server.url())
		p.eval("hear and throw", `const c = connect(); const r = c.join("throws");
			const error = new Promise((done) => window.addEventListener("error", (e) => done(e.error.message), { once: true }));
			let second; const after = new Promise((done) => { second = done; });
			r.on("new_message", () => { throw new Error("thrown"); });
			r.on("new_message", () => second());
			await r.send("send_message", { message: "hi" });
			await after;
			if (await error !== "thrown") throw new Error("it was not reported");`)
	})
	t.Run("pagehide closes, pageshow connects", func(t *testing.T) {
		p := openPage(t, browser, server.url())
		p.eval("hide", `window.c = connect(); window.r = c.join("hidden"); await r.joined;
			window.texts = []; r.on("new_message", (payload) => texts.push(payload.message));
			dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
			if (c.state !== "reconnecting" || c.welcome !== null) throw new Error("it is " + c.state);`)
		inject(t, server, "hidden", "meanwhile")
		if got := members(t, server, "hidden"); got != 1 {
			t.Errorf("%d members, want 1: who may be shown again keeps its seat", got)
		}
		p.eval("show", `const heard = new Promise((done) => r.on("new_message", done));
			dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
			if ((await heard).message !== "meanwhile") throw new Error("heard " + texts);`)
	})
	t.Run("shown again by the back button, as it was", func(t *testing.T) { shownAgain(t, server, openPage(t, browser, server.url())) })
	t.Run("online and resume ask whether the server is there", func(t *testing.T) {
		p := openPage(t, browser, server.url())
		p.eval("connect", `window.probes = 0;
			class Watched extends WebSocket {
				send(text) { probes += JSON.parse(text).type === "heartbeat"; super.send(text); }
			}
			window.c = connect({ WebSocket: Watched });
			await c.inbox.joined;
			await c.request("get_history", { name: "@me" });`) // what the server had to say was said
		for i, event := range []string{`window.dispatchEvent(new Event("online"))`, `document.dispatchEvent(new Event("resume"))`} {
			p.eval(event, fmt.Sprintf(`await new Promise((done) => setTimeout(done, 5)); // nothing was heard for a moment
				%s; if (probes !== %d) throw new Error("asked " + probes + " times");
				await c.request("get_history", { name: "@me" });`, event, i+1)) // answered, so that it may ask again
		}
	})
	t.Run("a page that goes away leaves at once", func(t *testing.T) {
		p := openPage(t, browser, server.url())
		// A page with a listener for unload is never shown again.
		p.eval("enter", `addEventListener("unload", () => {}); window.c = connect(); await c.join("gone").joined;`)
		if got := members(t, server, "gone"); got != 1 {
			t.Fatalf("%d members, want 1", got)
		}
		p.run("go away", chromedp.Navigate("about:blank"))
		eventually(t, "it has left", func() bool { return members(t, server, "gone") == 0 })
	})
	t.Run("online, resume and a look at the page connect", func(t *testing.T) { wakes(t, server, openPage(t, browser, server.url())) })
}

// openPage opens a tab in which connect is a global.
func openPage(t *testing.T, browser context.Context, url string) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &window{t: t, name: "page", ctx: ctx, complaints: &complaints{}}
	if err := chromedp.Do(ctx); err != nil { // the first context used is the tab's life, so it has no timeout
		t.Fatalf("open a tab: %v", err)
	}
	p.run("open "+url, chromedp.Navigate(url))
	p.eval("import the client", `window.connect = (await import("/client.js")).connect;`)
	return p
}

// eval runs statements in the page, which may await; what they throw fails the test.
func (w *window) eval(what, statements string) {
	w.t.Helper()
	w.run(what, chromedp.Evaluate[chromedp.Void](`(async () => {`+statements+`})()`, chromedp.EvalAwaitPromise))
}

// listenersGo compares what listens to the page before, with and after a client.
func listenersGo(t *testing.T, p *window) {
	count := func() int {
		t.Helper()
		ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
		defer cancel()
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](
			`[window, document].reduce((sum, target) => Object.values(getEventListeners(target)).reduce((n, list) => n + list.length, sum), 0)`,
			chromedp.EvalWithCommandLineAPI))
		if err != nil {
			t.Fatalf("count the listeners: %v", err)
		}
		return n
	}
	before := count()
	p.eval("connect", `window.c = connect(); await c.ready;`)
	if with := count(); with <= before {
		t.Fatalf("%d listeners with a client, %d without: they are not counted", with, before)
	}
	p.eval("close", `c.close();`)
	if after := count(); after != before {
		t.Errorf("%d listeners after close(), %d before", after, before)
	}
}

// shownAgain leaves a page that the browser keeps in its back/forward cache, and comes back to it.
func shownAgain(t *testing.T, server *roomd, p *window) {
	var unused atomic.Pointer[page.EventBackForwardCacheNotUsed]
	if err := chromedp.Listen(p.ctx, func(ev any) {
		if ev, ok := ev.(*page.EventBackForwardCacheNotUsed); ok {
			unused.Store(ev)
		}
	}); err != nil {
		t.Fatalf("listen to the tab: %v", err)
	}
	p.eval("enter", `window.c = connect(); window.r = c.join("kept"); await r.joined;
		window.texts = []; r.on("new_message", ({ message }) => texts.push(message));
		addEventListener("pageshow", (e) => { window.persisted = e.persisted; });`)
	p.run("leave the page", chromedp.Navigate(server.url()+"healthz"))
	inject(t, server, "kept", "meanwhile")
	if got := members(t, server, "kept"); got != 1 {
		t.Errorf("%d members, want 1: who may be shown again keeps its seat", got)
	}
	p.run("go back", chromedp.Evaluate[chromedp.Void](`history.back()`))
	eventually(t, "the page is there again", func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
		defer cancel()
		// Fails while one page goes and the other comes. A page that was loaded anew has no persisted.
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`location.pathname === "/" && document.readyState === "complete"`))
		return err == nil && there
	})
	if ev := unused.Load(); ev != nil {
		for _, why := range ev.NotRestoredExplanations {
			t.Errorf("the browser did not keep the page: %s %s", why.Reason, why.Context)
		}
		t.FailNow()
	}
	p.eval("the same page hears what it missed", `
		const until = async (look) => { while (!look()) await new Promise((done) => setTimeout(done, 10)); };
		await until(() => window.persisted);
		await until(() => texts.length > 0);
		await r.send("send_message", { message: "after" });
		await until(() => texts.includes("after"));
		if (texts.join() !== "meanwhile,after") throw new Error("heard " + texts);`)
}

// wakes has a client wait for very long, and then something tells it that it is worth trying.
func wakes(t *testing.T, server *roomd, p *window) {
	p.eval("connect", `window.c = connect({ minBackoff: 1e9, maxBackoff: 1e9, onStatus: (s) => { window.last = s; } });
		window.until = async (look) => { while (!look()) await new Promise((done) => setTimeout(done, 10)); };
		await c.ready;`)
	for _, event := range []string{
		`window.dispatchEvent(new Event("online"))`,
		`document.dispatchEvent(new Event("resume"))`,
		`document.dispatchEvent(new Event("visibilitychange"))`,
		`c.connect()`,
	} {
		server.kill()
		p.eval("wait for the next try", `await until(() => c.state === "reconnecting" && last.delay !== undefined);`)
		server.start()
		p.eval(event, event+`; await until(() => c.state === "connected");`)
	}
}

func members(t *testing.T, server *roomd, room string) int {
	t.Helper()
	res, err := http.Get(server.url() + "api/rooms/" + room + "/members")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Count int }
	if err := json.Unmarshal(body, &page); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("members of %s: %d %s: %v", room, res.StatusCode, body, err)
	}
	return page.Count
}

func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(stepTimeout)
	for !look() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", stepTimeout, what)
		}
	}
}

// snippet is a README's block for pages, as one that is evaluated must write its import.
func snippet(t *testing.T, name string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("../../..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```js\n")
	block, _, _ = strings.Cut(block, "```")
	imported := regexp.MustCompile(`(?m)^import (\{[^}]*\}) from ("[^"]*");`)
	if !imported.MatchString(block) {
		t.Fatalf("%s has no block for pages that imports the client: %q", name, block)
	}
	return imported.ReplaceAllString(block, "const $1 = await import($2);")
}
