// Command melody is a room server over olahol/melody, with one Melody for each
// room: that costs it less than one for all with a filter.
package main

import (
	"net/http"
	"sync"

	"github.com/olahol/melody"

	"github.com/passoncomtw/baccarat-websocket-cluster/testdata/peers/chat"
)

const memberKey = "member"

var (
	rooms   = make(map[string]*melody.Melody)
	roomsMu sync.Mutex
)

func roomOf(name string) *melody.Melody {
	roomsMu.Lock()
	defer roomsMu.Unlock()
	m := rooms[name]
	if m == nil {
		m = newRoom()
		rooms[name] = m
	}
	return m
}

func newRoom() *melody.Melody {
	m := melody.New()
	m.Config.MaxMessageSize = chat.MaxMessage
	m.Config.MessageBufferSize = chat.Queue
	m.Config.PingPeriod, m.Config.PongWait, m.Config.WriteWait = chat.Ping, chat.Pong, chat.Write
	m.HandleConnect(func(s *melody.Session) {
		_ = s.Write(chat.Joined) // it is told to the client's end, if at all
	})
	m.HandleMessage(func(s *melody.Session, data []byte) {
		member, ok := s.MustGet(memberKey).(chat.Member)
		if frame := member.Broadcast(data); ok && frame != nil {
			_ = m.Broadcast(frame) // a closed room has no members to miss it
		}
	})
	return m
}

func connect(w http.ResponseWriter, r *http.Request) {
	member := chat.MemberOf(r)
	// An error has been answered, or is the connection's end.
	_ = roomOf(member.Room).HandleRequestWithKeys(w, r, map[string]any{memberKey: member})
}

func main() { chat.Main(connect) }
