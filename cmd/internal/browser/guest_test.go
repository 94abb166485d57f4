package browser

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// addresses are those of the WebSockets that a window has opened.
type addresses struct {
	mu   sync.Mutex
	list []string
}

func (a *addresses) listen(ev any) {
	if created, ok := ev.(*network.EventWebSocketCreated); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.list = append(a.list, created.URL)
	}
}

// uid is that of the window's own person, who is the first in the list.
func (w *window) uid() string {
	w.t.Helper()
	w.sees(w.name)
	ctx, cancel := context.WithTimeout(w.ctx, stepTimeout)
	defer cancel()
	uid, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('[data-testid=person]').dataset.uid`))
	if err != nil {
		w.t.Fatalf("%s: read the uid: %v", w.name, err)
	}
	return uid
}

// A guest stays who it is over a reload and a restart of the server, and its token is in no URL. When its sessions were
// ended it comes back as somebody else.
func TestAGuestsToken(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	percy := openWindow(t, newBrowser(t, path), "percy", server.url())
	opened := &addresses{}
	if err := chromedp.Listen(percy.ctx, opened.listen); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(percy.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	first := percy.uid()
	percy.run("begin a conversation", chromedp.Navigate(server.url()+"?user=bob"))
	percy.connected()
	conversation := `document.querySelector('[data-testid=conversation-tab][data-uid=bob]')`
	percy.until("the conversation is there", conversation)
	percy.click(`[data-testid=room-tab]`)
	percy.run("reload", chromedp.Reload())
	percy.connected()
	percy.until("the conversation is still there", conversation)
	if again := percy.uid(); again != first {
		t.Errorf("after a reload %s is %s", first, again)
	}
	server.kill()
	percy.until("the loss is shown", `document.querySelector('[data-testid=connection]')?.dataset.state === "reconnecting"`)
	server.start()
	percy.connected()
	if again := percy.uid(); again != first {
		t.Errorf("after a restart %s is %s", first, again)
	}

	end, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.url()+"api/users/"+first+"/sessions?for=1h", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.client.Do(end)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("ending the sessions is answered %s", res.Status)
	}
	percy.until("the end is shown", `document.querySelector('[data-testid=connection]')?.dataset.state === "ended"`)
	percy.run("reload", chromedp.Reload())
	percy.connected()
	percy.until("somebody else is there", fmt.Sprintf(`document.querySelector('[data-testid=person]')?.dataset.uid.startsWith("guest-") && document.querySelector('[data-testid=person]').dataset.uid !== %q`, first))
	percy.until("the conversations of the one before are gone", conversation+` === null`)

	opened.mu.Lock()
	defer opened.mu.Unlock()
	if len(opened.list) < 3 {
		t.Errorf("the window opened %q", opened.list)
	}
	for _, url := range opened.list {
		if strings.Contains(url, "token=") || !strings.Contains(url, "otp=") {
			t.Errorf("the window opened %s", url)
		}
	}
}
