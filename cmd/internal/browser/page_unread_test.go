package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// inView is whether the line above what is new is in view, with what comes behind it.
const inView = `(() => {
	const line = document.querySelector("[data-testid=new-line]")?.getBoundingClientRect();
	const view = document.getElementById("log-scroll").getBoundingClientRect();
	return Boolean(line) && line.top >= view.top && line.bottom < view.top + view.height / 2;
})()`

const atEnd = `(() => { const view = document.getElementById("log-scroll"); return view.scrollHeight - view.scrollTop - view.clientHeight < 60; })()`

// Whoever opens a room with much that is new begins to read where it is new, also after a reload; where little is, at the end.
func TestPageUnread(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	for range 20 { // they take more lines in a narrow window
		inject(t, server, "general", strings.Repeat("many words ", 20))
	}
	fill(t, server, "general", 8)
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	percy.hears("number 7")
	percy.join("vip")
	percy.until("vip is empty", `!document.getElementById("log-empty").hidden`)
	for i := range 80 {
		inject(t, server, "general", fmt.Sprintf("fresh %d", i))
	}
	percy.unread("general", 80)
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.onView("general")
	percy.until("the first is there", above("fresh 0"))
	percy.holds("the line is in view", inView)
	percy.shoot("opened-at-line")
	for _, width := range []int64{360, 1280} {
		percy.look("", false, width)
		percy.holds(fmt.Sprintf("it is in view in a window of %d px", width), inView)
	}
	percy.unread("general", 0)
	percy.holds("there is a way to the newest", `!document.querySelector("[data-testid=latest]").hidden`)
	percy.click(`[data-testid=latest]`)
	percy.holds("the end is in view", atEnd)
	inject(t, server, "general", "one more")
	percy.hears("one more")
	percy.holds("the end is in view still", atEnd)

	// What was read stays read: one comes back to the end.
	percy.click(`[data-testid=room-tab][data-room=vip]`)
	percy.onView("vip")
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.hears("one more")
	percy.holds("the end is in view", atEnd)
	percy.click(`[data-testid=room-tab][data-room=vip]`)
	percy.onView("vip")
	inject(t, server, "general", "the last")
	percy.unread("general", 1)
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.until("the line is above it", above("the last"))
	percy.holds("the end is in view", atEnd)

	// As much, while nobody was here.
	percy.run("go away", chromedp.Navigate("about:blank"))
	for i := range 40 {
		inject(t, server, "general", fmt.Sprintf("missed %d", i))
	}
	percy.run("come back", chromedp.Navigate(server.url()))
	percy.connected()
	percy.onView("general")
	percy.until("the first is there", above("missed 0"))
	percy.holds("the line is in view", inView)
	percy.content(t)
}

func above(text string) string {
	return fmt.Sprintf(`document.querySelector("[data-testid=new-line]")?.nextElementSibling.textContent.includes(%q)`, text)
}
