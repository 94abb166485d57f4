package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTableFound: who comes to / finds a table that nobody has opened yet with one click, also on a phone, and sees who there is
// a guest.
func TestTableFound(t *testing.T) {
	server := tableServer(t)
	browser := newBrowser(t, needChromium(t))
	mei := openWindow(t, browser, "Mei", server.url())
	mei.until("a table is listed", `document.querySelector("[data-testid=table-room][data-room=baccarat-1]")`)
	mei.shoot("tables")
	publish(t, server, "general", `{"type":"new_message","payload":{"message":"from nobody","from":""}}`)
	mei.hears("from nobody")
	mei.holds("what gives no name is the table's", `[...document.querySelectorAll("[data-testid=message] .msg-name")].at(-1).textContent === "table"`)
	percy := openWindow(t, browser, "Percy", server.url())
	percy.run("a phone", chromedp.EmulateViewport(360, 740))
	percy.until("the way there is shown", `document.querySelector("[data-testid=to-table]").checkVisibility()`)
	percy.shoot("to-table")

	mei.click(`[data-testid=table-room] button`)
	mei.phase("betting")
	mei.until("the list names it no more", `document.querySelector("[data-testid=table-room]") === null && document.querySelector("[data-testid=room-tab][data-room=baccarat-1]")`)
	percy.click(`[data-testid=to-table]`)
	percy.phase("betting")
	percy.holds("one sits at it", `!document.querySelector("[data-testid=to-table]").checkVisibility() && document.querySelector("[data-testid=table]").checkVisibility()`)
	mei.until("the other one is a guest", `[...document.querySelectorAll("[data-testid=person]")].map((each) => each.querySelector(".tag").textContent).join() === "you,guest"`)
	mei.content(t)
	percy.content(t)
}
