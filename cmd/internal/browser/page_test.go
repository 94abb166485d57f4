package browser

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/nats-io/nats.go"
)

// is evaluates a condition in the page.
func (w *window) is(expression string) bool {
	w.t.Helper()
	return w.text(`String(Boolean(`+expression+`))`) == "true"
}

// holds waits for a condition of which no change of the document tells, such as what a field holds or what has the focus.
func (w *window) holds(what, expression string) {
	w.t.Helper()
	eventually(w.t, w.name+": "+what, func() bool { return w.is(expression) })
}

// reload loads the page again, as F5 does.
func (w *window) reload() {
	w.t.Helper()
	w.run("reload", chromedp.Reload())
	w.connected()
}

// onView waits until a room is.
func (w *window) onView(room string) {
	w.t.Helper()
	w.until(room+" is on view", fmt.Sprintf(`document.querySelector('[data-testid=chat]')?.dataset.room === %q`, room))
}

// unread waits until a room's tab says so many.
func (w *window) unread(room string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s has %d unread", room, n), fmt.Sprintf(`document.querySelector('[data-testid=room-tab][data-room=%q]')?.dataset.unread === "%d"`, room, n))
}

func (w *window) click(what string) {
	w.t.Helper()
	w.run("click "+what, chromedp.Click(chromedp.CSS(what)))
}

// fill puts count numbered messages into a room.
func fill(t *testing.T, server *roomd, room string, count int) {
	t.Helper()
	nc, err := nats.Connect("nats://"+server.natsAddr, nats.Timeout(stepTimeout))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i := range count {
		if err := nc.Publish("room."+room+".event", fmt.Appendf(nil, `{"type":"new_message","payload":{"message":"number %d","from":"dealer"}}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// A link in a message is one: to the web only, in a tab that learns nothing of ours. The message says what it said before.
func TestPageLinks(t *testing.T) {
	path := needChromium(t)
	stranger := newHost(t, "")
	server := newRoomd(t)
	server.args = []string{"--image-host", stranger.URL}
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())

	said := "see " + stranger.URL + "/page.png?a=1&b=(2). And (https://b.example/c), javascript:alert(1), ftp://d.example, http://%, https://百家樂.example/路。好"
	percy.say(said)
	olga.hears(said)
	want := []string{
		stranger.URL + "/page.png?a=1&b=(2)",
		"https://b.example/c",
		"https://百家樂.example/路",
	}
	got := olga.text(`[...document.querySelectorAll("[data-testid=messages] [data-testid=link]")].map((a) => a.textContent).join("\n")`)
	if got != strings.Join(want, "\n") {
		t.Errorf("the links are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if !olga.is(`[...document.querySelectorAll("[data-testid=link]")].every((a) => /^https?:$/.test(a.protocol) && a.target === "_blank" && ["noopener", "noreferrer", "nofollow"].every((word) => a.relList.contains(word)))`) {
		t.Error("a link leads elsewhere, or tells where it was found")
	}
	// What comes from there is no picture.
	percy.sendPicture("and a picture", stranger.URL+"/page.png")
	for _, w := range []*window{percy, olga} {
		w.until("a card stands for the broken picture", fmt.Sprintf(`document.querySelector('[data-testid=messages] [data-testid=picture][data-broken]')?.textContent.includes(%q)`, host0(stranger.URL)))
		if w.is(`document.querySelector('[data-testid=messages] [data-testid=picture] img')`) {
			t.Errorf("%s: a broken picture is still there", w.name)
		}
		w.content(t)
	}
	olga.shoot("links")
	olga.look("links-phone-dark", true, 360)
	olga.look("links-dark", true, 1280)
	olga.look("links-phone", false, 360)

	olga.click(`[data-testid=messages] [data-testid=link]`)
	stranger.was(t, "/opener/unknown")
	if ref := stranger.refs["/page.png"]; ref != "" {
		t.Errorf("the click told the referrer %q", ref)
	}
}

// At the top there is more until there is no more, and a high window is filled.
func TestPageHistory(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	fill(t, server, "general", 260)
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	percy.hears("number 259")
	percy.run("make the window high", chromedp.EmulateViewport(1280, 3000))
	percy.until("the window is full", `(() => { const view = document.getElementById("log-scroll"); return view.scrollHeight > view.clientHeight + 300; })()`)
	percy.run("make the window low", chromedp.EmulateViewport(1280, 800))
	percy.holds("the newest message is in view", `(() => { const view = document.getElementById("log-scroll"); return view.scrollHeight - view.scrollTop - view.clientHeight < 60; })()`)
	percy.run("focus the messages", chromedp.Focus(chromedp.CSS("#log-scroll")))
	begin := `!document.getElementById("log-begin").hidden`
	for range 30 {
		if percy.is(begin) {
			break
		}
		// Each jump to the top brings more, without another touch.
		oldest := percy.text(`document.querySelector("[data-testid=message]").dataset.seq`)
		percy.run("jump to the top", chromedp.Evaluate[chromedp.Void](`document.getElementById("log-scroll").scrollTop = 0`))
		percy.holds("earlier messages are there, above what was in view", fmt.Sprintf(`%s || Number(document.querySelector("[data-testid=message]").dataset.seq) < %s && document.getElementById("log-scroll").scrollTop > 0`, begin, oldest))
	}
	if !percy.is(begin) || !percy.is(`document.querySelector("[data-testid=message]").textContent.includes("number 0")`) {
		t.Errorf("the oldest message is %q", percy.text(`document.querySelector("[data-testid=message]").textContent`))
	}
	if percy.is(`document.activeElement === document.body`) {
		t.Error("the focus fell to the page when there was no more")
	}
}

// What is too long is not cut off in silence.
func TestPageTooLong(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	percy := openWindow(t, newBrowser(t, path), "percy", server.url())
	percy.run("focus the composer", chromedp.Focus(id("composer")))
	ctx, cancel := context.WithTimeout(percy.ctx, stepTimeout)
	defer cancel()
	if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: strings.Repeat("long ", 900)}); err != nil {
		t.Fatal(err)
	}
	percy.holds("it says how long it is", `document.getElementById("composer-problem").textContent.includes("4,499") && document.getElementById("composer-problem").textContent.includes("4,000")`)
	percy.shoot("too-long")
	percy.run("try to send it", chromedp.SendKeys(id("composer"), kb.Enter))
	percy.holds("it is all there", `document.querySelector("[data-testid=composer]").value.trim().length === 4499`)
	if percy.is(`document.querySelector("[data-testid=outgoing], [data-testid=message]")`) {
		t.Error("what is too long was sent")
	}
	percy.run("shorten it", chromedp.Evaluate[chromedp.Void](`(() => { const field = document.querySelector("[data-testid=composer]"); field.setSelectionRange(20, field.value.length); })()`), chromedp.SendKeys(id("composer"), kb.Delete))
	percy.holds("nothing is wrong any more", `document.getElementById("composer-problem").textContent === ""`)
	percy.run("send it", chromedp.SendKeys(id("composer"), kb.Enter))
	percy.hears("long long long long")

	percy.run("name a room too long", chromedp.SendKeys(id("add-room"), strings.Repeat("r", 65)+kb.Enter))
	percy.holds("it says so", `document.getElementById("add-room-problem").textContent.includes("64")`)
	if got := percy.text(`document.querySelector("[data-testid=add-room]").value`); got != strings.Repeat("r", 65) {
		t.Errorf("the name was cut to %q", got)
	}
}

// The whole page in the other language, and in a narrow window; looked at with TEST_SHOTS.
func TestPageInChinese(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path, chromedp.Flag("accept-lang", "zh-TW"), chromedp.Flag("lang", "zh-TW"))
	entry := openTab(t, browser, "zh", server.url())
	entry.shoot("entry")
	percy := openWindow(t, browser, "珮西", server.url()+"?room="+url.QueryEscape("百家樂 1"))
	if lang := percy.text(`document.documentElement.lang`); lang != "zh-Hant" {
		t.Errorf("the page is in %q", lang)
	}
	percy.say("看這裡 https://example.com/路，好嗎？")
	percy.hears("看這裡 https://example.com/路，好嗎？")
	for _, message := range []string{"莊家補牌", "開牌"} {
		inject(t, server, "百家樂=201", message)
		percy.hears(message)
	}
	percy.shoot("wide")
	percy.look("dark", true, 1280)
	percy.look("phone", false, 360)
	percy.look("phone-dark", true, 360)
	for _, width := range []int64{1280, 360} {
		percy.look("", false, width)
		percy.holds(fmt.Sprintf("the page is not wider than its %d px", width), `document.documentElement.scrollWidth <= innerWidth`)
	}
	percy.content(t)
}
