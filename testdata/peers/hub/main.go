// Command hub is a room server as it is usually written over gorilla: a hub
// goroutine for each room, and for each client a channel, a reader and a
// writer goroutine. A client whose channel is full is closed.
package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/testdata/peers/chat"
)

// hub is one room. Its members belong to the goroutine of run.
type hub struct {
	join, leave chan *client
	broadcast   chan []byte
}

func newHub() *hub {
	h := &hub{join: make(chan *client), leave: make(chan *client), broadcast: make(chan []byte, chat.Queue)}
	go h.run()
	return h
}

func (h *hub) run() {
	members := make(map[*client]bool)
	for {
		select {
		case c := <-h.join:
			members[c] = true
			c.queue <- chat.Joined
		case c := <-h.leave:
			if members[c] {
				delete(members, c)
				close(c.queue)
			}
		case frame := <-h.broadcast:
			for c := range members {
				select {
				case c.queue <- frame:
				default:
					delete(members, c)
					close(c.queue)
				}
			}
		}
	}
}

var (
	hubs   = make(map[string]*hub)
	hubsMu sync.Mutex
)

func hubOf(room string) *hub {
	hubsMu.Lock()
	defer hubsMu.Unlock()
	h := hubs[room]
	if h == nil {
		h = newHub()
		hubs[room] = h
	}
	return h
}

type client struct {
	conn   *websocket.Conn
	member chat.Member
	hub    *hub
	queue  chan []byte // closed by the hub
}

func connect(w http.ResponseWriter, r *http.Request) {
	conn := chat.Upgrade(w, r)
	if conn == nil {
		return
	}
	member := chat.MemberOf(r)
	c := &client{conn: conn, member: member, hub: hubOf(member.Room), queue: make(chan []byte, chat.Queue)}
	c.hub.join <- c
	go chat.WriteAll(conn, c.queue)
	go c.read() // the handler returns, so that its goroutine and buffers go
}

func (c *client) read() {
	chat.Read(c.conn, func(data []byte) {
		if frame := c.member.Broadcast(data); frame != nil {
			c.hub.broadcast <- frame
		}
	})
	c.hub.leave <- c
	c.conn.Close()
}

func main() {
	chat.CompressFlag()
	chat.Main(connect)
}
