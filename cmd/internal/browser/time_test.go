package browser

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// An event that says no time is shown with the log's, also by a page that finds it in the history later.
func TestTimesAreTheLogs(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	publish(t, server, "general", `{"type":"round_result","payload":{"winner":"banker"}}`)
	live := percy.shownAt("round_result")
	olga := openWindow(t, browser, "olga", server.url())
	if later := olga.shownAt("round_result"); later != live {
		t.Errorf("who was there sees %s, who came later %s", live, later)
	}
}

// shownAt is the time that stands at the one event of a type.
func (w *window) shownAt(typ string) string {
	w.t.Helper()
	shown := fmt.Sprintf(`document.querySelector('[data-testid=message][data-type=%s] time')?.dateTime`, typ)
	w.until(typ+" is there", "Boolean("+shown+")")
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Evaluate[string](shown))
	if err != nil || at == "" {
		w.t.Fatalf("%s: read the time of %s: %q, %v", w.name, typ, at, err)
	}
	return at
}
