package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// A server of one's own with a login and an API, and somebody who uses them.
func Example() {
	ctx := context.Background()
	nats, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	check(err)
	defer nats.Close()
	logins, err := nats.Connect("login")
	check(err)
	config := session.DefaultConfig() // of sessions; has the log, too
	revoked, err := store.NewRevocations(ctx, logins, nil, config.Log)
	check(err)
	defer revoked.Close()
	endUser := httpapi.EndUser(revoked, config.Log)
	cfg := rooms.DefaultConfig()
	cfg.Memory, cfg.EndUser = true, endUser
	engine, err := rooms.New(ctx, nats, cfg)
	check(err)
	defer engine.Close(ctx)

	who := &auth.Authenticator{Revocations: revoked}
	who.Guests, err = store.NewGuests(ctx, logins, nil)
	check(err)
	who.Tickets, err = store.NewTickets(ctx, logins, nil)
	check(err)
	manager, err := session.NewManager(engine, who, config)
	check(err)
	defer manager.Close()
	revoked.OnRevoke(httpapi.CloseRevoked(manager))

	mux := http.NewServeMux()
	mux.Handle("/ws", manager)
	mux.Handle("/login", httpapi.NewLogin(who, manager, httpapi.LoginOptions{Origins: config.Origins}))
	mux.Handle("/api/", httpapi.NewAPI(engine, httpapi.APIOptions{Guard: httpapi.WithKey("k3y", manager), EndUser: endUser}))
	server := httptest.NewServer(mux) // or http.ListenAndServe
	defer server.Close()

	var ticket struct {
		OTP       string `json:"otp"`
		ExpiresIn int    `json:"expires_in"`
	}
	answer := post(server.URL+"/login", `{"username":"percy"}`, "")
	check(json.Unmarshal([]byte(answer), &ticket))
	fmt.Println("a ticket for /ws?otp=…, good for", ticket.ExpiresIn, "s:", ticket.OTP != "")
	fmt.Println(post(server.URL+"/api/rooms/general/events", `{"type":"round_result","payload":{"winner":"banker"}}`, "k3y"))
	fmt.Println(post(server.URL+"/api/rooms/general/events", `{"type":"round_result"}`, "guess"))
	// Output:
	// a ticket for /ws?otp=…, good for 30 s: true
	// {"seq":1,"duplicate":false}
	// {"error":{"code":"unauthorized","message":"the API key is wrong","retryable":false}}
}

func post(url, body, key string) string {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	check(err)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := http.DefaultClient.Do(r)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	return strings.TrimSpace(string(text))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
