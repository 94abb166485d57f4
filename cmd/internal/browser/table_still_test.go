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

// TestTableStaysStill: nothing moves while cards are turned up, a round ends with the longest result, and the connection is lost and
// comes back.
func TestTableStaysStill(t *testing.T) {
	server := newRoomd(t)
	server.args = []string{"--bet-time", "1s", "--deal-time", "15ms", "--dealer", "live"}
	server.start()
	mei := sitDown(t, newBrowser(t, needChromium(t)), "Mei", server)
	mei.bets("banker")
	for _, size := range [][2]int64{{1280, 800}, {844, 390}, {390, 844}, {360, 740}} {
		mei.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		mei.phase("betting")
		before := mei.text(boxes)
		same := func(when string) {
			t.Helper()
			if after := mei.text(boxes); after != before {
				t.Errorf("in %v things move %s:\n%s\nwas\n%s", size, when, after, before)
			}
		}
		for bet := false; !bet; { // the first round in which the bet came in time
			mei.phase("dealing")
			same("when no more bets are taken")
			for i, card := range []string{"2H", "AH", "2S", "AD", "3C", "6C"} {
				publish(t, server, "baccarat-1", fmt.Sprintf(`{"type":"deal","payload":{"card":%q}}`, card))
				mei.until(fmt.Sprintf("card %d lies there", i+1), fmt.Sprintf(`document.querySelectorAll("[data-testid=card]").length === %d`, i+1))
				same(fmt.Sprintf("with card %d", i+1))
			}
			mei.phase("settled")
			mei.until("it says the result", `document.querySelector("[data-testid=table-status]").textContent === "Banker wins, 8 to 7. Player pair. Banker pair."`)
			same("when the round ends")
			bet = mei.is(`document.querySelector("[data-testid=gain]").textContent !== ""`)
			mei.shoot(fmt.Sprintf("still-%d", size[0]))
			mei.phase("betting")
			same("when the next round opens")
		}
		publish(t, server, "baccarat-1", `{"type":"pause","payload":{"reason":"a word with the dealer about the last card of the last round but one"}}`)
		mei.until("it says so", `!document.querySelector("[data-testid=table-note]").hidden`)
		same("when a pause is told")
		publish(t, server, "baccarat-1", `{"type":"resume"}`)
		mei.until("it goes on", `document.querySelector("[data-testid=table-note]").hidden`)
		server.kill()
		mei.until("the loss is shown", `!document.querySelector("[data-testid=banner]").hidden && document.querySelector("[data-testid=table-note]").textContent.startsWith("No connection")`)
		same("when the connection is lost")
		mei.shoot(fmt.Sprintf("lost-%d", size[0]))
		server.start()
		mei.connected()
		mei.until("the banner is gone", `document.querySelector("[data-testid=banner]").hidden`)
		same("when it is back")
		publish(t, server, "baccarat-1", `{"type":"new_shoe"}`) // it is refused while a round is played
	}
	mei.content(t)
}
