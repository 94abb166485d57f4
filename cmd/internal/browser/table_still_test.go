package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// boxes says where everything is that one may be about to press or to read.
const boxes = `[...document.querySelectorAll("[data-testid=spot], [data-testid=chip], [data-testid=bet-again], [data-testid=bet-clear], [data-testid=stack], [data-testid=hand-player], [data-testid=hand-banker], [data-testid=bead-plate], [data-testid=chat-title], [data-testid=composer]")]
	.filter((each) => each.checkVisibility()).map((each) => {
		const { left, top, width, height } = each.getBoundingClientRect();
		const sized = each.matches("[data-testid=spot], [data-testid^=hand-], [data-testid=chip]"); // the others are as wide as what they say
		return [each.dataset.on ?? each.dataset.chip ?? each.dataset.testid, ...(sized ? [left, top, width, height] : [top])].map((n) => (typeof n === "number" ? Math.round(n) : n)).join(" ");
	}).join("\n")`

// watchBoxes has the page note, whenever anything changes there, where everything is, and what it saw of a round.
const watchBoxes = `(() => {
	window.places = new Map();
	window.gainSeen = false;
	window.watching?.disconnect();
	const look = () => {
		const table = document.querySelector("[data-testid=table]");
		const now = ` + boxes + `;
		if (!window.places.has(now)) window.places.set(now, table.dataset.phase + ", " + document.querySelectorAll("[data-testid=card]").length + " cards, " + document.querySelector("[data-testid=connection]").dataset.state);
		const badge = document.querySelector("[data-testid=spot][data-on=banker] [data-testid=mine]");
		if (table.dataset.phase === "settled" && badge.textContent) (window.badges ??= new Set()).add(badge.textContent + (badge.classList.contains("paid") ? " gold" : ""));
		window.gainSeen ||= document.querySelector("[data-testid=gain]").textContent !== "";
	};
	window.watching = new MutationObserver(look);
	window.watching.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
	look();
})()`

// TestTableStaysStill: nothing moves while cards are turned up, a round ends with the longest result, a pause is told, and the
// connection is lost and comes back. The table waits for its dealer, so only what waits for him is waited for.
func TestTableStaysStill(t *testing.T) {
	server := newRoomd(t)
	server.args = []string{"--bet-time", "3s", "--deal-time", "15ms", "--dealer", "live"}
	server.start()
	mei := openWindow(t, newBrowser(t, needChromium(t)), "Mei", server.url()+"?room=baccarat-1")
	mei.until("the table is there", `document.querySelector("[data-testid=table]")?.checkVisibility()`)
	mei.bets("banker")
	rounds := 0
	waits := func() {
		t.Helper()
		mei.until("the table waits for cards", fmt.Sprintf(`document.querySelector("[data-testid=table]").dataset.phase === "dealing" && document.querySelector("[data-testid=round]").textContent === "Round %d" && document.querySelectorAll("[data-testid=card]").length === 0`, rounds+1))
	}
	play := func() {
		t.Helper()
		waits()
		cards := [][]string{{"2H", "AH", "2S", "AD", "3C", "6C"}, {"2D", "AC", "2C", "AS", "3D", "5H"}}[rounds%2] // the second a tie; of each there are eight
		rounds++
		for i, card := range cards {
			publish(t, server, "baccarat-1", fmt.Sprintf(`{"type":"deal","payload":{"card":%q}}`, card))
			if i < len(cards)-1 {
				mei.until(fmt.Sprintf("card %d lies there", i+1), fmt.Sprintf(`document.querySelectorAll("[data-testid=card]").length === %d`, i+1))
			}
		}
		mei.until("there is a result", fmt.Sprintf(`document.querySelectorAll("[data-testid=bead-plate] .bead").length === %d`, rounds))
		mei.holds("every card lies in its hand", `[...document.querySelectorAll("[data-testid=card]")].every((card) => {
			const [inner, outer] = [card, card.closest(".hand")].map((each) => each.getBoundingClientRect());
			return inner.left >= outer.left && inner.right <= outer.right;
		})`)
	}
	for _, size := range [][2]int64{{1280, 800}, {740, 360}, {360, 740}} {
		waits()
		mei.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		mei.run("watch", chromedp.Evaluate[chromedp.Void](watchBoxes))
		for play(); !mei.is(`window.gainSeen`); play() { // until a bet came in time
		}
		mei.holds("what was won is told, and not what was bet with it", `window.badges.size > 0 && [...window.badges].every((each) => each === "+95 gold" || each === "±0")`)
		waits()
		publish(t, server, "baccarat-1", `{"type":"pause","payload":{"reason":"a word with the dealer about the last card of the last round but one"}}`)
		mei.until("it says so", `!document.querySelector("[data-testid=table-note]").hidden`)
		mei.shoot(fmt.Sprintf("still-%d", size[0]))
		publish(t, server, "baccarat-1", `{"type":"resume"}`)
		mei.until("it goes on", `document.querySelector("[data-testid=table-note]").hidden`)
		server.kill()
		mei.until("the loss is shown", `!document.querySelector("[data-testid=banner]").hidden && document.querySelector("[data-testid=table-note]").textContent.startsWith("No connection")`)
		mei.shoot(fmt.Sprintf("lost-%d", size[0]))
		mei.holds("chips and buttons are not covered", `(() => {
			const banner = document.querySelector("[data-testid=banner]").getBoundingClientRect();
			return [...document.querySelectorAll("[data-testid=chip], [data-testid=spot], [data-testid=bet-again], [data-testid=bet-clear]")].every((each) => {
				const box = each.getBoundingClientRect();
				return box.top >= banner.bottom || box.left >= banner.right;
			});
		})()`)
		server.start()
		mei.connected()
		mei.until("the banner is gone", `document.querySelector("[data-testid=banner]").hidden && document.querySelector("[data-testid=table-note]").hidden`)
		if n := mei.text(`String(window.places.size)`); n != "1" {
			t.Errorf("in %v things moved:\n%s", size, mei.text(`[...window.places].map(([where, when]) => when + ":\n" + where).join("\n\n")`))
		}
	}
	mei.content(t)
}
