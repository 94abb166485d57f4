package browser

import (
	"net/http"
	"strings"
	"testing"
)

// The page lists the rooms there are, with their labels, also where it may not use the API.
func TestLobby(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	const key = "0123456789abcdef"
	t.Setenv("ROOMD_API_KEY", key)
	server.start()
	label, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.url()+"api/rooms/lounge/label", strings.NewReader(`{"title":"Open <until> 8"}`))
	if err != nil {
		t.Fatal(err)
	}
	label.Header.Set("Authorization", "Bearer "+key)
	label.Header.Set("Content-Type", "application/json")
	res, err := server.client.Do(label)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the label is answered %s", res.Status)
	}

	browser := newBrowser(t, path)
	openWindow(t, browser, "olga", server.url()).move("lounge")
	percy := openWindow(t, browser, "percy", server.url())
	percy.until("the room is listed with who is in it and its label", `(() => {
		const entry = document.querySelector('[data-testid=directory-room][data-room=lounge]');
		return entry?.querySelector(".entry-count").textContent === "1" && entry.querySelector(".entry-title").textContent === "Open <until> 8";
	})()`)
}
