package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestNoEventBreaksThePage: whatever a service says, what comes after it is shown, to those who are there and to those who come.
func TestNoEventBreaksThePage(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	bad := []string{`{"toString":1}`, `{"a":1}`, `["x"]`, `5`, `1e300`, `true`, `null`}
	for _, field := range []string{"message", "from", "username", "uid", "to_uid", "avatar_id", "image_url", "time", "sent", "winner", "__proto__"} {
		for _, value := range bad {
			publish(t, server, "general", fmt.Sprintf(`{"type":"new_message","payload":{"message":"odd",%q:%s}}`, field, value))
			publish(t, server, "general", fmt.Sprintf(`{"type":"round_result","payload":{%q:%s}}`, field, value))
		}
	}
	for _, payload := range append(bad, `"text"`, `{}`) {
		publish(t, server, "general", `{"type":"round_result","payload":`+payload+`}`)
	}
	inject(t, server, "general", "after all that")
	percy.hears("after all that")
	olga := openWindow(t, browser, "olga", server.url())
	olga.hears("after all that")
	for _, w := range []*window{percy, olga} {
		w.holds("everything is drawn", `!document.body.textContent.includes("A message that cannot be shown")`)
	}
	percy.say("and one of mine")
	olga.hears("and one of mine")

	// Nothing is known that cannot be drawn; this browser has something.
	percy.run("break what draws", chromedp.Evaluate[chromedp.Void](`{
		const own = JSON.stringify;
		JSON.stringify = (value, ...more) => { if (value?.undrawable) throw new Error("undrawable"); return own(value, ...more); };
	}`))
	publish(t, server, "general", `{"type":"new_message","payload":{"message":{"undrawable":1}}}`)
	inject(t, server, "general", "and after that")
	percy.hears("and after that")
	percy.holds("it is shown that there is something",
		`[...document.querySelectorAll("[data-testid=message]")].at(-2).textContent.includes("A message that cannot be shown")`)
}
