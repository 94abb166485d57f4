package browser

import (
	"os"
	"testing"
)

// TestReadmePicture makes the picture of the README where TEST_SHOTS says: Mei-page.png, which is copied to testdata/page.png.
func TestReadmePicture(t *testing.T) {
	path := chromium()
	if path == "" || os.Getenv("TEST_SHOTS") == "" {
		t.Skip("TEST_SHOTS names no folder to put a picture into, or there is no Chromium")
	}
	server := newRoomd(t)
	server.args = []string{"--bet-time", "50ms", "--deal-time", "10ms"}
	server.start()
	browser := newBrowser(t, path)
	table := server.url() + "?room=baccarat-1"
	mei := openWindow(t, browser, "Mei", table)
	mei.until("a road is there", `document.querySelectorAll("[data-testid=bead-plate] .bead").length >= 40`)
	server.kill()
	server.args = []string{"--bet-time", "6s", "--deal-time", "700ms"}
	server.start()
	mei.connected()
	percy := openWindow(t, browser, "Percy", table)
	oskar := openWindow(t, browser, "Oskar", table)
	say := func(who *window, text string) {
		who.say(text)
		mei.hears(text)
	}
	say(mei, "Good evening! Anyone tracking the road?")
	say(percy, "Evening Mei. Banker ran five in a row.")
	say(mei, "There it is again. 莊家又贏了!")
	say(oskar, "Six. Somebody stop them.")
	percy.phase("settled")
	percy.phase("betting")
	for _, w := range []*window{percy, oskar, mei} {
		w.click(`[data-testid=chip][data-chip="1000"]`)
		w.click(`[data-testid=spot][data-on=player]`)
		w.click(`[data-testid=chip][data-chip="500"]`)
		w.click(`[data-testid=spot][data-on=banker]`)
	}
	mei.click(`[data-testid=chip][data-chip="100"]`)
	mei.click(`[data-testid=spot][data-on=tie]`)
	mei.phase("settled")
	mei.look("page", false, 1280)
}
