package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// complaints are what the browser has to say against the page: breaches of its policy, and errors that nobody caught.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) listen(ev any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		if ev.Entry.Source == log.EntrySourceSecurity || strings.Contains(ev.Entry.Text, "Security Policy") {
			c.list = append(c.list, ev.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		c.list = append(c.list, ev.ExceptionDetails.Text)
	}
}

// take returns them and begins anew.
func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// host serves pictures, and a page that tells whether it knows who opened it. It notes what it was asked for.
type host struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string          // paths
	refs  map[string]string // the Referer of each
}

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func newHost(t *testing.T, elsewhere string) *host {
	t.Helper()
	png, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{refs: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.URL.Path)
		h.refs[r.URL.Path] = r.Header.Get("Referer")
		h.mu.Unlock()
		switch r.URL.Path {
		case "/away.png":
			http.Redirect(w, r, elsewhere, http.StatusFound)
		case "/page.png":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<script>fetch("/opener/" + (window.opener === null ? "unknown" : "known"))</script>`)
		default:
			w.Header().Set("Content-Type", "image/png")
			w.Write(png) // an error means that the browser is gone
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// was waits until the host was asked for path.
func (h *host) was(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(stepTimeout)
	for !slices.Contains(h.requests(), path) {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s was never asked for; what was: %q", path, h.requests())
		}
	}
}

// sendPicture sends a picture by its address, as a person does.
func (w *window) sendPicture(text, address string) {
	w.t.Helper()
	w.run("open the field for a picture", chromedp.Click(id("image-toggle")))
	w.run("write its address", chromedp.SendKeys(id("image-url"), address))
	w.say(text)
}

// A picture on a host that nobody listed is a link with that host's name: not for others and not for its sender is
// anything loaded before a click, which opens it in a tab of its own that does not know us. One on a listed host loads.
func TestPictures(t *testing.T) {
	path := needChromium(t)
	stranger := newHost(t, "")
	listed := newHost(t, stranger.URL+"/tracked.png")
	server := newRoomd(t)
	port := listed.URL[strings.LastIndex(listed.URL, ":"):]
	server.args = []string{"--image-host", listed.URL, "--image-host", "http://*.localhost" + port}
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())
	both := []*window{percy, olga}

	percy.sendPicture("from a stranger", stranger.URL+"/page.png")
	percy.sendPicture("from our host", listed.URL+"/ours.png")
	percy.sendPicture("from below a host", "http://cdn.localhost"+port+"/below.png")
	percy.sendPicture("from that host itself", "http://localhost"+port+"/itself.png")
	olga.until("one below the host is there", fmt.Sprintf(`document.querySelector('[data-testid=messages] [data-testid=picture][data-host="cdn.localhost%s"] img')?.naturalWidth > 0`, port))
	olga.until("the host itself is a link", fmt.Sprintf(`document.querySelector('[data-testid=messages] [data-testid=picture][data-host="localhost%s"] .picture-host')`, port))
	for _, w := range both {
		w.until("the link is there", fmt.Sprintf(`document.querySelector('[data-testid=messages] [data-testid=picture][data-host=%q]')?.textContent.includes(%q)`, host0(stranger.URL), host0(stranger.URL)))
		w.until("the picture is there", `document.querySelector('[data-testid=messages] [data-testid=picture] img')?.naturalWidth > 0`)
	}
	olga.shoot("pictures")
	listed.was(t, "/ours.png")
	if ref := listed.refs["/ours.png"]; ref != "" {
		t.Errorf("the listed host was told the referrer %q", ref)
	}
	if slices.Contains(listed.requests(), "/itself.png") {
		t.Error("a picture was loaded from a host of which only those below are listed")
	}
	if got := stranger.requests(); len(got) > 0 {
		t.Fatalf("before anybody clicked, the stranger's host was asked for %q", got)
	}
	olga.look("pictures-dark", true, 1280)
	olga.look("pictures-phone", false, 375)
	olga.look("pictures-phone-dark", true, 375)
	olga.look("", false, 1280)

	olga.run("click the link", chromedp.Click(chromedp.CSS(fmt.Sprintf("[data-testid=messages] [data-testid=picture][data-host=%q]", host0(stranger.URL)))))
	stranger.was(t, "/opener/unknown")
	if ref := stranger.refs["/page.png"]; ref != "" {
		t.Errorf("the click told the referrer %q", ref)
	}
	if slices.Contains(stranger.requests(), "/opener/known") {
		t.Error("the tab that the click opened knows the page")
	}
	for _, w := range both {
		w.content(t)
	}

	// What a mistake in the page could do, the policy forbids, also over a listed host that sends on.
	for _, try := range []struct{ what, script string }{
		{"a picture of a stranger", fmt.Sprintf(`new Promise((done) => { const i = new Image(); i.onerror = i.onload = () => done(); i.src = %q; })`, stranger.URL+"/tracked.png")},
		{"a picture that a host sends on", fmt.Sprintf(`new Promise((done) => { const i = new Image(); i.onerror = i.onload = () => done(); i.src = %q; })`, listed.URL+"/away.png")},
		{"a request to a stranger", fmt.Sprintf(`fetch(%q).catch(() => {}).then(() => {})`, stranger.URL+"/tracked.png")},
		{"a WebSocket to a stranger", fmt.Sprintf(`new Promise((done) => { try { const s = new WebSocket(%q); s.onerror = s.onclose = s.onopen = () => done(); } catch { done(); } })`, "ws"+strings.TrimPrefix(stranger.URL, "http")+"/tracked.png")},
		{"text that becomes markup", `(() => { try { document.createElement("p").innerHTML = "<b>x</b>"; } catch {} })()`},
		{"another base for its addresses", `document.head.append(Object.assign(document.createElement("base"), { href: "https://evil.example/" }))`},
		{"style that nobody has signed", `document.body.setAttribute("style", "opacity: 0.5")`},
		{"a form that is sent elsewhere", fmt.Sprintf(`(() => { const f = document.createElement("form"); f.action = %q; document.body.append(f); f.submit(); f.remove(); })()`, stranger.URL+"/tracked.png")},
		{"a frame", fmt.Sprintf(`(() => { const f = document.createElement("iframe"); f.src = %q; document.body.append(f); f.remove(); })()`, stranger.URL+"/tracked.png")},
		{"a picture of no host, as a test", `new Promise((done) => { const i = new Image(); i.onerror = i.onload = () => done(); i.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw="; })`},
	} {
		olga.run(try.what, chromedp.Evaluate[chromedp.Void](try.script, chromedp.EvalAwaitPromise))
		olga.refuses(try.what)
	}
	if got := stranger.requests(); slices.Contains(got, "/tracked.png") {
		t.Errorf("the page's policy let one through: %q", got)
	}
}

func host0(url string) string { return strings.TrimPrefix(url, "http://") }

// content fails if the browser has complained of the page.
func (w *window) content(t *testing.T) {
	t.Helper()
	if list := w.complaints.take(); len(list) > 0 {
		t.Errorf("%s: the browser complains: %s", w.name, strings.Join(list, " | "))
	}
}

// refuses waits until the browser has complained of what was just done.
func (w *window) refuses(what string) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(stepTimeout)
	for len(w.complaints.take()) == 0 {
		select {
		case <-tick.C:
		case <-timeout:
			w.t.Errorf("%s: the browser lets the page do this: %s", w.name, what)
			return
		}
	}
}

// look takes a picture of the page in the dark or in a narrow window; without a name it only sets them.
func (w *window) look(name string, dark bool, width int64) {
	w.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		w.t.Fatal(err)
	}
	w.run("resize", chromedp.EmulateViewport(width, 800))
	eventually(w.t, w.name+": the parts of the page stand still", func() bool {
		return w.text(`String(document.getAnimations().every((a) => a.effect.getTiming().iterations === Infinity))`) == "true"
	})
	if name != "" {
		w.shoot(name)
	}
}

// Whatever somebody writes, and wherever it is shown, it stays text.
func TestMarkupStaysText(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, `<img src=x onerror="window.hit=1">`, server.url())
	attacks := []string{
		`<script>window.hit=1</script>`,
		`<img src=x onerror=window.hit=1>`,
		`<svg onload=window.hit=1><a xlink:href="javascript:window.hit=1">x</a></svg>`,
		`"><iframe srcdoc="<script>parent.hit=1</script>">`,
		`javascript:window.hit=1`,
		`</p></article><style>*{display:none}</style>`,
		`{{constructor.constructor('window.hit=1')()}}`,
		"`${window.hit=1}`",
	}
	for _, attack := range attacks {
		olga.say(attack)
		percy.hears(attack)
		inject(t, server, "general", attack+" injected")
		percy.hears(attack + " injected")
	}
	for _, address := range []string{"javascript:window.hit=1", "data:text/html,<script>parent.hit=1</script>", `https://a.example/"onerror="window.hit=1`} {
		publish(t, server, "general", fmt.Sprintf(`{"type":"new_message","payload":{"message":"a picture","from":%q,"image_url":%q}}`, attacks[1], address))
		publish(t, server, "general", fmt.Sprintf(`{"type":"round_result","payload":{"winner":%q,%q:%q,"image_url":%q}}`, attacks[1], attacks[0], attacks[2], address))
	}
	percy.move(attacks[1])
	percy.move("general")
	percy.say("the end" + kb.Escape)
	for _, w := range []*window{percy, olga} {
		w.hears("the end")
		w.until("nothing became markup or ran", `window.hit === undefined && document.querySelector('main img, main iframe, main script, main style, aside img, aside iframe, [href^="javascript:" i], [href^="data:" i]') === null`)
		w.content(t)
	}
}
