package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

// A whole server: NATS in the process, rooms, guests, and an event of its own.
func Example() {
	ctx := context.Background()
	nats, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	check(err)
	defer nats.Close()
	cfg := rooms.DefaultConfig()
	cfg.Memory = true
	engine, err := rooms.New(ctx, nats, cfg)
	check(err)
	defer engine.Close(ctx)
	login, err := nats.Connect("login")
	check(err)
	guests, err := store.NewGuests(ctx, login, nil)
	check(err)
	manager, err := session.NewManager(engine, &auth.Authenticator{Guests: guests}, session.DefaultConfig())
	check(err)
	defer manager.Close()
	manager.Handle("place_bet", func(r *session.Request) error {
		room, err := r.Room()
		if err != nil {
			return err
		}
		return r.Publish(room, wire.Event{Type: "bet_placed", Payload: r.Event.Payload})
	})
	mux := http.NewServeMux()
	mux.Handle("/ws", manager)
	server := httptest.NewServer(mux) // or http.ListenAndServe
	defer server.Close()

	// A client of it.
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/ws?username=ann", nil)
	check(err)
	defer ws.Close()
	check(ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"place_bet","payload":{"on":"banker","amount":5}}`)))
	for {
		_, message, err := ws.ReadMessage()
		check(err)
		if ev, err := wire.DecodeServer(message); err == nil && ev.Type == "bet_placed" {
			fmt.Println(ev.Type, ev.Room, ev.Seq, string(ev.Payload))
			return
		}
	}
	// Output: bet_placed general 1 {"on":"banker","amount":5}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
