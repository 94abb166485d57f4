// Command hub is a room server as it is usually written over gorilla: a hub
// goroutine for each room, and for each client a channel, a reader and a
// writer goroutine. A client whose channel is full is closed.
package main

import (
	"flag"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/testdata/peers/chat"
)

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}

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
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	member := chat.MemberOf(r)
	c := &client{conn: conn, member: member, hub: hubOf(member.Room), queue: make(chan []byte, chat.Queue)}
	c.hub.join <- c
	go c.write()
	go c.read() // the handler returns, so that its goroutine and buffers go
}

func (c *client) read() {
	defer func() {
		c.hub.leave <- c
		c.conn.Close()
	}()
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(chat.Pong)) }
	c.conn.SetReadLimit(chat.MaxMessage)
	c.conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if frame := c.member.Broadcast(data); frame != nil {
			c.hub.broadcast <- frame
		}
	}
}

func (c *client) write() {
	ping := time.NewTicker(chat.Ping)
	defer func() {
		ping.Stop()
		c.conn.Close()
	}()
	for {
		var err error
		select {
		case frame, ok := <-c.queue:
			if !ok {
				c.conn.WriteControl(websocket.CloseMessage, nil, time.Now().Add(chat.Write)) // it is closed anyway
				return
			}
			err = c.send(frame)
		case <-ping.C:
			err = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(chat.Write))
		}
		if err != nil {
			return
		}
	}
}

func (c *client) send(frame []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(chat.Write)); err != nil {
		return err
	}
	w, err := c.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return err
	}
	return w.Close()
}

func main() {
	flag.BoolVar(&upgrader.EnableCompression, "compress", false, "agree on permessage-deflate; each client's writer compresses for itself")
	chat.Main(connect)
}
