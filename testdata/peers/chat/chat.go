// Package chat is what the Go peers of roombench have in common: the two
// events they speak and the start of the program. What is compared, the way
// from one member to the others, is in each program.
package chat

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"
)

// The same in every peer and as in roomd, so that none pays for other things.
const (
	MaxMessage = 16 << 10         // bytes of one message from a client
	Queue      = 256              // messages that wait for one client
	Ping       = 25 * time.Second // a client is pinged this often
	Pong       = 35 * time.Second // a client that was silent for this long is gone
	Write      = 5 * time.Second  // a write that takes longer ends the connection
)

// Joined is what a member gets when it is in the room.
var Joined = []byte(`{"type":"room_joined","payload":{}}`)

// Member is who speaks in which room.
type Member struct {
	Room     string
	Username string
}

// MemberOf reads the query of a connect: ?room=ROOM&username=NAME.
func MemberOf(r *http.Request) Member {
	q := r.URL.Query()
	return Member{Room: q.Get("room"), Username: q.Get("username")}
}

type event struct {
	Type    string          `json:"type"`
	Room    string          `json:"room,omitempty"`
	Payload json.RawMessage `json:"payload"`
}

// message has the fields that roomd sends, so that frames are as long.
type message struct {
	Message  string `json:"message"`
	From     string `json:"from"`
	Sent     string `json:"sent"`
	Time     int64  `json:"time"`
	UID      string `json:"uid"`
	Username string `json:"username"`
	AvatarID string `json:"avatar_id"`
	RoomID   string `json:"room_id"`
}

// Broadcast makes the new_message of what a client sent; nil when it is no
// send_message.
func (m Member) Broadcast(data []byte) []byte {
	var in event
	var text struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &in) != nil || in.Type != "send_message" || json.Unmarshal(in.Payload, &text) != nil {
		return nil
	}
	now := time.Now()
	payload, err := json.Marshal(message{
		Message: text.Message, From: m.Username, Sent: now.UTC().Format(time.RFC3339Nano), Time: now.UnixMilli(),
		UID: "guest-" + m.Username, Username: m.Username, RoomID: m.Room,
	})
	if err != nil {
		return nil
	}
	out, err := json.Marshal(event{Type: "new_message", Room: m.Room, Payload: payload})
	if err != nil {
		return nil
	}
	return out
}

// Main serves connect at /ws, and readiness, at the address of --addr.
func Main(connect http.HandlerFunc) {
	addr := flag.String("addr", "127.0.0.1:3001", "where to listen")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", connect)
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
