package browser

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestReadmePicture makes the picture of the README where TEST_SHOTS says: Mei-page.png, which is copied to testdata/page.png.
func TestReadmePicture(t *testing.T) {
	path := chromium()
	if path == "" || os.Getenv("TEST_SHOTS") == "" {
		t.Skip("TEST_SHOTS names no folder to put a picture into, or there is no Chromium")
	}
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	mei := openWindow(t, browser, "Mei", server.url())
	percy := openWindow(t, browser, "Percy", server.url())
	oskar := openWindow(t, browser, "Oskar", server.url())
	say := func(who *window, text string) {
		who.say(text)
		mei.hears(text)
	}
	say(mei, "Good evening! Shoe 12 just opened, anyone tracking the road?")
	say(percy, "Evening Mei. Banker ran five in a row before the cut.")
	inject(t, server, "general", "No more bets, please.")
	mei.hears("No more bets, please.")
	publish(t, server, "general", `{"type":"round_result","payload":{"winner":"banker","banker":7,"player":3,"round":42}}`)
	say(mei, "There it is again. 莊家又贏了!")
	say(oskar, "Six. Somebody stop them.")
	mei.sees("Mei", "Oskar", "Percy")
	mei.run("a larger window", chromedp.EmulateViewport(1280, 800))
	mei.shoot("page")
}
