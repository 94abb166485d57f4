package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stepTimeout bounds one thing that a person waits for.
const stepTimeout = time.Minute

// chromium finds the browser. CI installs one and fails when this test did not
// run; a machine without one runs everything else.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// needChromium is chromium for a test that shows nothing without one.
func needChromium(t *testing.T) string {
	t.Helper()
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	return path
}

// newBrowser starts headless Chromium with a profile of its own.
func newBrowser(t *testing.T, path string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en"), chromedp.WindowSize(1280, 800))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close Chromium: %v", err)
		}
		cancel()
		cancelAlloc()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// window is one browser window: one person.
type window struct {
	t    *testing.T
	name string
	ctx  context.Context

	complaints *complaints
}

func openWindow(t *testing.T, browser context.Context, name, url string) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := &window{t: t, name: name, ctx: ctx, complaints: &complaints{}}
	if err := chromedp.Do(ctx); err != nil { // the first context used is the tab's life, so it has no timeout
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, w.complaints.listen); err != nil {
		t.Fatalf("listen to the tab: %v", err)
	}
	w.run("open "+url, chromedp.Navigate(url))
	w.run("give a name", chromedp.SendKeys(id("name"), name))
	w.run("enter", chromedp.Click(id("enter")))
	w.connected()
	return w
}

func id(testid string) chromedp.CSS { return chromedp.CSS(fmt.Sprintf("[data-testid=%q]", testid)) }

func (w *window) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.shoot("failed")
		w.t.Fatalf("%s: %s: %v", w.name, what, err)
	}
}

// until waits until the expression is true in the page. The page tells by a
// MutationObserver; its content policy forbids what chromedp.Poll does.
func (w *window) until(what, expression string) {
	w.t.Helper()
	script := `new Promise((done) => {
		const look = () => { if (` + expression + `) { watch.disconnect(); done(true); } };
		const watch = new MutationObserver(look);
		watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		look();
	})`
	w.run("wait until "+what, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise))
}

func (w *window) connected() {
	w.t.Helper()
	w.until("connected", `document.querySelector('[data-testid=connection]')?.dataset.state === "connected"`)
}

// say types a message and sends it with Enter.
func (w *window) say(text string) {
	w.t.Helper()
	w.run("say "+text, chromedp.SendKeys(id("composer"), text+kb.Enter))
}

// hears waits for a message in the room or conversation on view.
func (w *window) hears(text string) {
	w.t.Helper()
	w.until("the message "+text+" is there", fmt.Sprintf(
		`[...document.querySelectorAll('[data-testid=messages] [data-testid=message] .msg-text')].some((m) => m.textContent === %q)`, text))
}

// texts are the messages on view, in their order.
func (w *window) texts() []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	list, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](
		`[...document.querySelectorAll('[data-testid=messages] [data-testid=message] .msg-text')].map((m) => m.textContent)`))
	if err != nil {
		w.t.Fatalf("%s: read the messages: %v", w.name, err)
	}
	return list
}

// join enters a room by its name.
func (w *window) join(room string) {
	w.t.Helper()
	w.run("join "+room, chromedp.SendKeys(id("add-room"), room+kb.Enter))
	w.until("the room "+room+" is on view", fmt.Sprintf(
		`document.querySelector('[data-testid=chat]')?.dataset.room === %[1]q && document.querySelector('[data-testid=room-tab][data-room=%[1]q]')?.dataset.joined === "true"`, room))
}

// move enters a room and leaves the one that was on view.
func (w *window) move(room string) {
	w.t.Helper()
	left := w.text(`document.querySelector('[data-testid=chat]').dataset.room`)
	w.join(room)
	w.leave(left)
}

// leave leaves a room.
func (w *window) leave(room string) {
	w.t.Helper()
	w.run("leave "+room, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('[data-testid=room-tab][data-room=%q]').nextElementSibling.click()`, room)))
}

// text is what an expression in the page says.
func (w *window) text(expression string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, expression, err)
	}
	return text
}

// sees waits until exactly these people are listed.
func (w *window) sees(names ...string) {
	w.t.Helper()
	w.until("people are "+strings.Join(names, ", "), fmt.Sprintf(
		`(() => { const people = [...document.querySelectorAll('[data-testid=people] [data-testid=person]')].map((p) => p.textContent);
			return people.length === %d && %q.split("\n").every((name) => people.some((p) => p.includes(name))); })()`, len(names), strings.Join(names, "\n")))
}

// shoot keeps a screenshot where TEST_SHOTS says, if it does.
func (w *window) shoot(name string) {
	dir := os.Getenv("TEST_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Logf("screenshot: %v", err)
		return
	}
	if err := os.WriteFile(fmt.Sprintf("%s/%s-%s.png", dir, w.name, name), png, 0o644); err != nil {
		w.t.Logf("screenshot: %v", err)
	}
}
