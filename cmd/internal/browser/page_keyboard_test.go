package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Everything can be done without a mouse, and without a walk through all rooms: enter, write, look back, join, leave.
func TestPageKeyboard(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	fill(t, server, "general", 120)
	labelTables(t, server, 40)
	percy := openTab(t, newBrowser(t, path), "percy", server.url())
	percy.types("enter", "percy"+kb.Enter)
	percy.connected()
	writes := func(after string) {
		t.Helper()
		percy.holds("one can write after "+after, `document.activeElement === document.querySelector("[data-testid=composer]")`)
	}
	writes("entering")
	percy.types("say something", "hello"+kb.Enter)
	percy.hears("hello")
	percy.until("the rooms are listed", `document.querySelectorAll("[data-testid=directory-room]").length === 40`)

	const begin = `!document.getElementById("log-begin").hidden && document.getElementById("log-scroll").scrollTop === 0`
	const place = `document.getElementById("log-scroll").scrollTop + "/" + document.querySelector("[data-testid=message]").dataset.seq`
	for range 60 {
		if percy.is(begin) {
			break
		}
		was := percy.text(place)
		percy.types("page up", kb.PageUp)
		percy.holds("what is above is in view", begin+` || `+place+` !== "`+was+`"`)
	}
	if !percy.is(begin + ` && document.querySelector("[data-testid=message]").textContent.includes("number 0")`) {
		t.Errorf("at the top is %s", percy.text(place))
	}
	percy.types("page down", kb.PageDown)
	percy.holds("what is below is in view", `document.getElementById("log-scroll").scrollTop > 0`)
	writes("paging")

	percy.backTo("add-room")
	percy.types("join", "vip"+kb.Enter)
	percy.onView("vip")
	writes("joining")
	percy.types("say something", "hello, vip"+kb.Enter)
	percy.hears("hello, vip")
	percy.backTo("directory-room")
	percy.types("choose the second", kb.ArrowDown+kb.Enter)
	percy.onView("table-0001")
	writes("choosing a room")
	percy.backTo("room-tab")
	percy.types("leave", kb.Delete)
	percy.until("the room is left", `document.querySelector("[data-testid=room-tab][data-room=table-0001]") === null`)
	percy.holds("something has the focus", `document.activeElement !== document.body && document.activeElement.checkVisibility()`)
	percy.content(t)
	percy.leave("vip")
	percy.leave("general")
	percy.until("rooms are offered", `document.querySelectorAll("[data-testid=lobby-room]").length === 12`)
	percy.fits(t)
}

// fits looks whether the lobby fits into every window, and is read from its top.
func (w *window) fits(t *testing.T) {
	t.Helper()
	for _, size := range [][2]int64{{360, 800}, {640, 400}, {1280, 800}} {
		w.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		w.holds(fmt.Sprintf("the lobby fits into %v", size), `(() => {
			const view = document.getElementById("log-scroll");
			const title = document.getElementById("lobby-title").getBoundingClientRect();
			return view.scrollWidth <= view.clientWidth && title.left >= 0 && title.right <= innerWidth && title.top >= view.getBoundingClientRect().top;
		})()`)
		w.shoot(fmt.Sprintf("lobby-%d", size[0]))
	}
}

// types presses keys, wherever the focus is.
func (w *window) types(what, keys string) {
	w.t.Helper()
	w.run(what, chromedp.KeyEvent(keys))
}

// backTo goes back with Shift and Tab to what is marked with that id, or is in it, in a few steps.
func (w *window) backTo(testid string) {
	w.t.Helper()
	for range 15 {
		w.run("go back", chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
		if w.is(`document.activeElement.closest("[data-testid=` + testid + `]")`) {
			return
		}
	}
	w.shoot("failed")
	w.t.Fatalf("%s: %s is not near; the focus is on %s", w.name, testid, w.text(`document.activeElement.outerHTML.slice(0, 200)`))
}
