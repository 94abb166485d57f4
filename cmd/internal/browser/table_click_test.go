package browser

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestTableBetsLie: chips that are drawn anew under the mouse take no click with them, and nothing that one is about to press moves
// while one bets.
func TestTableBetsLie(t *testing.T) {
	server := tableServer(t)
	browser := newBrowser(t, needChromium(t))
	mei := sitDown(t, browser, "Mei", server)
	for _, width := range []int64{1280, 360} {
		mei.run("another window", chromedp.EmulateViewport(width, 800))
		const tops = `[...document.querySelectorAll("[data-testid=spot], [data-testid=chip], [data-testid=bet-clear]")].map((each) => Math.round(each.getBoundingClientRect().top + document.querySelector("[data-testid=table]").scrollTop)).join()`
		before := mei.text(tops)
		for _, on := range []string{"banker", "player_pair"} {
			mei.click(`[data-testid=spot][data-on=` + on + `]`)
			mei.onTable(on, "100", "100")
		}
		mei.holds("under the mouse lies the spot, not a chip", `(() => {
			const chip = document.querySelector("[data-testid=spot][data-on=banker] .chip").getBoundingClientRect();
			return document.elementFromPoint(chip.left + chip.width / 2, chip.top + chip.height / 2).matches("[data-testid=spot]");
		})()`)
		mei.backTo("table")
		mei.types("bet more on the tie than may lie there", "5t")
		mei.until("it says why not", `!document.querySelector("[data-testid=bet-problem]").hidden`)
		if after := mei.text(tops); after != before {
			t.Errorf("at a width of %d the tops were %s and are %s", width, before, after)
		}
		mei.shoot("lie")
		mei.holds("in view", `(() => {
			const [line, table] = ["bet-problem", "table"].map((id) => document.querySelector("[data-testid=" + id + "]").getBoundingClientRect());
			return line.top >= table.top && line.bottom <= table.bottom;
		})()`)
		mei.types("bet more than there is", "bb")
		mei.until("it says that too", `document.querySelector("[data-testid=bet-problem]").textContent === "Not taken: you have 4,800 chips."`)
		mei.holds("the chip is marked", `[...document.querySelectorAll("[data-testid=chip]")].map((chip) => chip.dataset.poor).join() === "false,false,false,false,true"`)
		mei.types("take all back and the small chip", "c2")
		mei.hasChips("10,000", "0")
	}
	mei.content(t)

	// Who comes with the keyboard bets nothing with the Enter that let him in, and with no key that he holds.
	percy := openTab(t, browser, "Percy", server.url()+"?room=baccarat-1")
	percy.run("a phone", chromedp.EmulateViewport(360, 640))
	percy.types("enter", "Percy"+kb.Enter)
	percy.phase("betting")
	onTable := func(after string) {
		t.Helper()
		percy.holds("the focus is on the table after "+after, `document.activeElement === document.querySelector("[data-testid=table]")`)
	}
	onTable("entering")
	percy.types("press it again", kb.Enter+kb.Enter)
	percy.reload()
	percy.phase("betting")
	onTable("a reload")
	percy.types("press it again", kb.Enter+kb.Enter)
	percy.presses("b", "b", 'B')
	percy.onTable("banker", "100", "100")
	percy.run("go to a spot", chromedp.Focus(chromedp.CSS(`[data-testid=spot][data-on=tie]`)))
	percy.presses("Enter", "\r", 13)
	percy.onTable("tie", "100", "100")
	percy.types("bet once more", "p")
	percy.onTable("player", "100", "100")
	percy.hasChips("9,700", "300")
	percy.content(t)
}

// presses holds a key for a while.
func (w *window) presses(key, text string, code int64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	send := func(event input.DispatchKeyEventParams) {
		event.Key, event.WindowsVirtualKeyCode = key, code
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, event); err != nil {
			w.t.Fatalf("%s: hold %s: %v", w.name, key, err)
		}
	}
	for i := range 4 {
		again := i > 0
		send(input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Text: text, AutoRepeat: &again})
	}
	send(input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp})
}

// TestTableOnPhones: the chips are in view however low the window is, and the first results while there is room for them.
func TestTableOnPhones(t *testing.T) {
	server := newRoomd(t)
	server.args = []string{"--bet-time", "300ms", "--deal-time", "20ms"}
	server.start()
	mei := sitDown(t, newBrowser(t, needChromium(t)), "Mei", server)
	for _, size := range [][2]int64{{844, 390}, {320, 568}, {1024, 600}, {360, 740}} {
		mei.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		mei.run("see the spots", chromedp.Evaluate[chromedp.Void](`void document.querySelector("[data-testid=spot][data-on=banker]").scrollIntoView({ block: "nearest" })`))
		mei.holds(fmt.Sprintf("in %v the chips are in view", size), `[...document.querySelectorAll("[data-testid=chip]")].every((chip) => {
			const box = chip.getBoundingClientRect();
			return chip.contains(document.elementFromPoint(box.left + box.width / 2, box.bottom - 4));
		})`)
		mei.shoot(fmt.Sprintf("phone-%d", size[0]))
	}
	mei.until("a result", `document.querySelector("[data-testid=bead-plate] .bead")`)
	mei.holds("the first results are in view", `document.querySelectorAll("[data-testid=bead-plate] .bead").length > 20 || document.querySelector("[data-testid=big-road]").parentElement.scrollLeft === 0`)
	mei.content(t)
}

// TestTableOnItsSide: on a phone, upright or on its side, and at 200 % of zoom, all that one needs to play is on the screen at once,
// and nothing of it lies over anything else.
func TestTableOnItsSide(t *testing.T) {
	server := tableServer(t)
	mei := sitDown(t, newBrowser(t, needChromium(t)), "Mei", server)
	mei.click(`[data-testid=spot][data-on=banker_pair]`)
	mei.onTable("banker_pair", "100", "100")
	for _, size := range [][2]int64{{844, 390}, {667, 375}, {640, 400}, {568, 320}, {932, 430}, {740, 360}, {360, 640}, {375, 667}, {390, 664}, {1024, 700}} {
		mei.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		mei.holds(fmt.Sprintf("in %v the page cannot be scrolled", size), `document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth`)
		mei.run("begin at the top", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=table]").scrollTop = 0`))
		hidden := mei.text(`(() => {
			const all = [...document.querySelectorAll("[data-testid=spot], [data-testid=chip], [data-testid=clock], [data-testid=stack], [data-testid=staked], [data-testid=bet-clear], [data-testid=bet-again], [data-testid=hand-player], [data-testid=hand-banker], [data-testid=table-status]")];
			return all.filter((each) => {
				const box = each.getBoundingClientRect();
				const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
				const edges = [[x, box.top + 3], [x, box.bottom - 3], [box.left + 3, y], [box.right - 3, y]];
				return !(box.width > 0 && box.height > 0 && edges.every(([x, y]) => each.contains(document.elementFromPoint(x, y))));
			}).map((each) => (each.dataset.on ?? each.dataset.chip ?? each.id) + " " + JSON.stringify(each.getBoundingClientRect())).join("\n");
		})()`)
		if hidden != "" {
			t.Errorf("in %v not all is in view:\n%s", size, hidden)
		}
		mei.shoot(fmt.Sprintf("side-%d", size[0]))
	}
	mei.run("a phone", chromedp.EmulateViewport(844, 390))
	mei.click(`[data-testid=switch]`)
	mei.say("hello")
	mei.hears("hello")
	mei.shoot("side-talk")
	mei.content(t)
}
