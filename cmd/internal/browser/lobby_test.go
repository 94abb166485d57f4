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
	putLabel(t, server, "lounge", key, `{"title":"Open <until> 8"}`)
	putLabel(t, server, "desk", key, `{"game":"baccarat","phase":"betting","shoe":2,"round":7,"results":"PBBTP"}`)

	browser := newBrowser(t, path)
	openWindow(t, browser, "olga", server.url()).move("lounge")
	percy := openWindow(t, browser, "percy", server.url())
	percy.until("the room is listed with who is in it and its label", `(() => {
		const entry = document.querySelector('[data-testid=directory-room][data-room=lounge]');
		return entry?.querySelector(".entry-count").textContent === "1" && entry.querySelector(".entry-title").textContent === "Open <until> 8";
	})()`)
	percy.until("a table says what it does, and how it went", `(() => {
		const title = document.querySelector('[data-testid=table-room][data-room=desk] .entry-title');
		return title?.textContent === "Baccarat · Bets are open" && title.querySelectorAll(".dot").length === 5 && title.querySelectorAll(".dot-banker").length === 2;
	})()`)
}

func putLabel(t *testing.T, server *roomd, room, key, label string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.url()+"api/rooms/"+room+"/label", strings.NewReader(label))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := server.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the label of %s is answered %s", room, res.Status)
	}
}
