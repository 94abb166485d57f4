package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// What is unread, the line above it, what one has begun to write, and what was under way are there again after a reload.
func TestPageRemembers(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())
	olga.say("before")
	percy.hears("before")
	percy.run("begin to write", chromedp.SendKeys(id("composer"), "half a"))
	percy.join("vip")
	percy.onView("vip")
	percy.until("vip is joined", `document.querySelector('[data-testid=room-tab][data-room=vip]')?.dataset.joined === "true"`)
	percy.holds("vip has no draft", `document.querySelector("[data-testid=composer]").value === ""`)
	percy.run("begin to write elsewhere", chromedp.SendKeys(id("composer"), "another"))
	olga.say("one")
	olga.say("two")
	percy.unread("general", 2)

	percy.reload()
	percy.onView("vip")
	percy.unread("general", 2)
	percy.holds("the draft is there", `document.querySelector("[data-testid=composer]").value === "another"`)

	// What comes while the page is away is unread, too; and was written by nobody who is away.
	percy.run("go away", chromedp.Navigate("about:blank"))
	olga.say("three")
	inject(t, server, "vip", "in the other room")
	percy.run("come back", chromedp.Navigate(server.url()))
	percy.connected()
	percy.onView("vip")
	percy.unread("general", 3)
	percy.hears("in the other room")
	above := `document.querySelector("[data-testid=new-line]")?.nextElementSibling.textContent.includes(%q)`
	percy.until("a line says from where on it is new", fmt.Sprintf(above, "in the other room"))

	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.until("the line is above what is new", fmt.Sprintf(above, "one"))
	percy.unread("general", 0)
	percy.shoot("new-line")
	percy.holds("the first draft is there", `document.querySelector("[data-testid=composer]").value === "half a"`)
	percy.reload()
	percy.onView("general")
	percy.hears("three")
	percy.until("the line is still there", fmt.Sprintf(above, "one"))
	percy.unread("general", 0)
	percy.unread("vip", 0)

	privateUnread(t, percy, olga)

	// What was written while nobody answered goes out after a reload, once.
	server.kill()
	olga.until("the loss is shown", `document.querySelector('[data-testid=connection]')?.dataset.state === "reconnecting"`)
	olga.click(`[data-testid=room-tab][data-room=general]`)
	olga.say("written offline")
	olga.until("it waits", `document.querySelector('[data-testid=outgoing]')?.dataset.status === "pending"`)
	server.start()
	percy.run("connect at once", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=reconnect]").click()`))
	olga.reload()
	olga.hears("written offline")
	percy.hears("written offline")
	if n := count(percy.texts(), "written offline"); n != 1 {
		t.Errorf("what was written offline is there %d times", n)
	}
}

func privateUnread(t *testing.T, percy, olga *window) {
	t.Helper()
	olga.run("choose percy", chromedp.Click(`//*[@data-testid="person"][contains(., "percy")]`))
	olga.say("between us")
	olga.hears("between us")
	one := `document.querySelector('[data-testid=conversation-tab]')?.dataset.unread === "1"`
	percy.until("the conversation is unread", one)
	percy.reload()
	percy.until("the conversation is still unread", one)
	percy.click(`[data-testid=conversation-tab]`)
	percy.hears("between us")
	percy.until("the line is above it", `document.querySelector("[data-testid=new-line]")?.nextElementSibling.textContent.includes("between us")`)
	percy.reload()
	percy.until("the conversation is on view", `document.querySelector('[data-testid=chat]')?.dataset.kind === "private"`)
	percy.hears("between us")
	percy.until("it was read", `document.querySelector('[data-testid=conversation-tab]')?.dataset.unread === "0"`)
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.onView("general")
}
