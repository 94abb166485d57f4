// Package browser drives the demo page in real headless Chromium against a
// real roomd process.
package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/nats-io/nats.go"
)

func TestTwoWindows(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())

	t.Run("presence", func(t *testing.T) {
		percy.in(t).sees("percy", "olga")
		olga.in(t).sees("percy", "olga")
	})
	t.Run("chat", func(t *testing.T) {
		percy.in(t).say("good evening")
		olga.in(t).hears("good evening")
		olga.in(t).say("<b>hello</b> & 百家樂 🎴")
		percy.in(t).hears("<b>hello</b> & 百家樂 🎴") // as text, never as HTML
		percy.in(t).shoot("chat")
	})
	t.Run("injected over NATS", func(t *testing.T) {
		inject(t, server, "general", "table opens")
		percy.in(t).hears("table opens")
		olga.in(t).hears("table opens")
	})
	t.Run("who speaks", func(t *testing.T) {
		const kind = `document.querySelector('[data-testid=message]%s:not(.mine) [data-testid=kind]')?.dataset.kind === %q`
		percy.in(t).until("olga's words are a guest's", fmt.Sprintf(kind, `[data-uid^="guest-"]`, "guest"))
		percy.in(t).until("the dealer's are the site's", fmt.Sprintf(kind, `[data-uid=""]`, "service"))
	})
	t.Run("change room", func(t *testing.T) {
		percy.in(t).move("vip")
		olga.in(t).sees("olga")
		olga.in(t).say("only for general")
		olga.in(t).hears("only for general")
		percy.in(t).say("quiet in here")
		percy.in(t).hears("quiet in here")
		if slices.Contains(percy.texts(), "only for general") {
			t.Error("percy left general and still hears it")
		}
		percy.in(t).move("general")
		olga.in(t).sees("percy", "olga")
	})
	t.Run("private message", func(t *testing.T) { privately(t, percy, olga) })
	t.Run("restart with nothing missed", func(t *testing.T) { restart(t, server, percy, olga) })
	percy.content(t)
	olga.content(t)
}

// in reports the failures of w's steps to the subtest.
func (w *window) in(t *testing.T) *window {
	v := *w
	v.t = t
	return &v
}

// privately: percy writes to olga, who finds the conversation and answers.
func privately(t *testing.T, percy, olga *window) {
	percy, olga = percy.in(t), olga.in(t)
	percy.run("choose olga", chromedp.Click(`//*[@data-testid="person"][contains(., "olga")]`))
	percy.until("the conversation is on view", `document.querySelector('[data-testid=chat]')?.dataset.kind === "private"`)
	percy.say("between us")
	percy.hears("between us")
	olga.until("a conversation has something new", `Number(document.querySelector('[data-testid=conversation-tab]')?.dataset.unread) > 0`)
	if slices.Contains(olga.texts(), "between us") {
		t.Error("a private message is shown in the room")
	}
	olga.run("open the conversation", chromedp.Click(id("conversation-tab")))
	olga.hears("between us")
	olga.say("our secret")
	percy.hears("our secret")
	for _, w := range []*window{percy, olga} {
		w.run("back to the room", chromedp.Click(chromedp.CSS(`[data-testid=room-tab][data-room=general]`)))
		w.until("general is on view", `document.querySelector('[data-testid=chat]')?.dataset.room === "general"`)
	}
}

// restart pulls the server's plug while olga has a message under way, and puts
// messages into the room before anybody is back.
func restart(t *testing.T, server *roomd, percy, olga *window) {
	percy, olga = percy.in(t), olga.in(t)
	server.t = t
	before := len(percy.texts())
	server.kill()
	for _, w := range []*window{percy, olga} {
		w.until("the loss is shown", `document.querySelector('[data-testid=connection]')?.dataset.state === "reconnecting"`)
	}
	olga.say("said while the server was away")
	server.start()
	var want []string
	for i := range 20 {
		text := fmt.Sprintf("card %d", i)
		inject(t, server, "general", text)
		want = append(want, text)
	}
	for _, w := range []*window{percy, olga} {
		w.connected()
		w.hears("card 19")
		w.hears("said while the server was away")
	}
	a, b := percy.texts(), olga.texts()
	if !slices.Equal(a[before:], b[len(b)-len(a)+before:]) {
		t.Errorf("the two windows differ:\n%s\n%s", strings.Join(a, " | "), strings.Join(b, " | "))
	}
	cards := slices.DeleteFunc(slices.Clone(a[before:]), func(s string) bool { return !strings.HasPrefix(s, "card ") })
	if !slices.Equal(cards, want) {
		t.Errorf("after the restart percy has %q, want each card once and in order", cards)
	}
	if n := count(a, "said while the server was away"); n != 1 {
		t.Errorf("olga's message is there %d times", n)
	}
	percy.say("still here" + kb.Escape)
	olga.hears("still here")
}

func count(list []string, s string) (n int) {
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

// inject does what `nats pub room.<room>.event` does, over TCP.
func inject(t *testing.T, server *roomd, room, text string) {
	t.Helper()
	publish(t, server, room, fmt.Sprintf(`{"type":"new_message","payload":{"message":%q,"from":"dealer"}}`, text))
}

func publish(t *testing.T, server *roomd, room, body string) {
	t.Helper()
	nc, err := nats.Connect("nats://"+server.natsAddr, nats.Timeout(stepTimeout))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("room."+room+".event", []byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}
