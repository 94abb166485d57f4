package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
)

// TestTableEarlierShoes: shoes that ended long before somebody came can be looked up, with their seeds and how to check them.
func TestTableEarlierShoes(t *testing.T) {
	server := newRoomd(t)
	server.args = []string{"--bet-time", "1h", "--deal-time", "20ms"}
	server.start()
	browser := newBrowser(t, needChromium(t))
	mei := sitDown(t, browser, "Mei", server)
	nc, err := nats.Connect("nats://"+server.natsAddr, nats.Timeout(stepTimeout))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	order := func(body string) {
		t.Helper()
		reply, err := nc.Request("room.baccarat-1.command", []byte(body), stepTimeout)
		var answer struct{ Type string }
		if err == nil {
			err = json.Unmarshal(reply.Data, &answer)
		}
		if err != nil || answer.Type != "ack" {
			t.Fatalf("%s is answered %v, %v", body, reply, err)
		}
	}
	order(`{"type":"pause","payload":{"reason":"a new shoe"}}`)
	order(`{"type":"void","payload":{"round":1,"reason":"a new shoe"}}`)
	order(`{"type":"new_shoe"}`)
	order(`{"type":"resume"}`)
	mei.until("the next round is open", `document.querySelector("[data-testid=round]").textContent === "Round 2"`)
	for range 30 { // each is a step, a page of history has 100, and what is said fills the view
		order(`{"type":"pause","payload":{"reason":"a breath"}}`)
		order(`{"type":"resume"}`)
	}
	for i := range 50 {
		order(fmt.Sprintf(`{"type":"send_message","payload":{"message":"number %d","from":"dealer"}}`, i))
	}
	percy := sitDown(t, browser, "Percy", server)
	percy.click(`[data-testid=fair] summary`)
	percy.until("the present shoe is there", `document.querySelector("[data-testid=shoe][data-shoe='2']")`)
	percy.hears("number 49")
	percy.until("one can ask for an earlier shoe", `document.querySelector("[data-testid=fair-earlier]").getAttribute("aria-disabled") === "false"`)
	if percy.is(`document.querySelector("[data-testid=shoe][data-shoe='1']")`) {
		t.Error("the first shoe is there before somebody has asked for it")
	}
	percy.click(`[data-testid=fair-earlier]`)
	percy.until("it is there, and its seed is the promised one", `document.querySelector("[data-testid=shoe][data-shoe='1'] [data-testid=verdict][data-right=true]")`)
	percy.until("there is none before", `document.querySelector("[data-testid=fair-earlier]").textContent === "The log has no earlier shoe"`)
	if got := percy.text(`[...document.querySelectorAll("[data-testid=shoe]")].map((each) => each.dataset.shoe).join()`); got != "2,1" {
		t.Errorf("the shoes are %s", got)
	}
	percy.run("see it", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=shoe][data-shoe='1']").scrollIntoView()`))
	percy.shoot("earlier")

	want := "roomctl baccarat verify baccarat-1 --shoe 1 --url ws://" + server.httpAddr + "/ws"
	if got := percy.text(`document.querySelector("[data-testid=shoe][data-shoe='1'] p code").textContent`); got != want {
		t.Errorf("a shoe is checked by %q, want %q", got, want)
	}
	percy.run("copy it", chromedp.Evaluate[chromedp.Void](`(() => {
		Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: async (text) => { window.copiedText = text; } } });
		for (const button of document.querySelectorAll("[data-testid=shoe][data-shoe='1'] [data-testid=copy]")) button.click();
	})()`))
	percy.until("it says so", `[...document.querySelectorAll("[data-testid=copy]")].filter((each) => each.textContent === "Copied").length === 2`)
	if got := percy.text(`window.copiedText`); got != want {
		t.Errorf("what is copied is %q", strings.TrimSpace(got))
	}
	mei.content(t)
	percy.content(t)
}
