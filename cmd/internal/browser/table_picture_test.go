package browser

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTablePictures makes pictures of a table where TEST_SHOTS says, in the language that SHOT_LANG says.
func TestTablePictures(t *testing.T) {
	path := chromium()
	if path == "" || os.Getenv("TEST_SHOTS") == "" {
		t.Skip("TEST_SHOTS names no folder to put pictures into, or there is no Chromium")
	}
	server := newRoomd(t)
	server.args = []string{"--bet-time", "2s", "--deal-time", "60ms"}
	server.start()
	lang := os.Getenv("SHOT_LANG")
	opts := []chromedp.ExecAllocatorOption{}
	if lang != "" {
		opts = append(opts, chromedp.Flag("accept-lang", lang), chromedp.Flag("lang", lang))
	}
	browser := newBrowser(t, path, opts...)
	mei := openWindow(t, browser, "Mei"+lang, server.url()+"?room=baccarat-1")
	percy := openWindow(t, browser, "Percy"+lang, server.url()+"?room=baccarat-1")
	mei.until("some results", `document.querySelectorAll("[data-testid=bead-plate] .bead").length >= 14`)
	mei.until("bets", `document.querySelector("[data-testid=table]")?.dataset.phase === "betting"`)
	percy.say("Good evening! Anyone tracking the road?")
	mei.say("莊 ran five in a row.")
	mei.run("bet", chromedp.Click(chromedp.CSS(`[data-on=banker]`)), chromedp.Click(chromedp.CSS(`[data-on=banker]`)), chromedp.Click(chromedp.CSS(`[data-on=tie]`)))
	percy.run("bet", chromedp.Click(chromedp.CSS(`[data-on=player]`)))
	mei.until("stored", `document.querySelector("[data-on=banker]").dataset.underway === "false" && document.querySelector("[data-on=player] [data-testid=total]").textContent !== ""`)
	mei.shoot("betting")
	mei.until("cards", `document.querySelectorAll("[data-testid=card]").length >= 4`)
	mei.shoot("dealing")
	mei.until("settled", `document.querySelector("[data-testid=table]").dataset.phase === "settled"`)
	mei.look("settled", false, 1280)
	mei.look("settled-dark", true, 1280)
	mei.look("settled-phone", false, 360)
	mei.look("settled-phone-dark", true, 360)
	mei.look("settled-tablet", false, 820)
	mei.look("settled-1000", false, 1000)
	mei.run("big", chromedp.EmulateViewport(1280, 1500))
	mei.shoot("tall")
	mei.run("big", chromedp.EmulateViewport(360, 1700))
	mei.shoot("tall-phone")
	t.Log(mei.text(`[...document.querySelectorAll("#announcer p")].map((p)=>p.textContent).join("\n")`))
	mei.content(t)
}
