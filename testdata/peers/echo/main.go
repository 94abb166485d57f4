// Command echo is the least that a room server does: what a client sends is
// given, as it came, to every member of its room. There is no JSON, and no
// goroutine between a member's reader and the others' channels.
package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/testdata/peers/chat"
)

// room is its members. All of them get what is said in one order, because it is
// given to them under the lock.
type room struct {
	mu      sync.Mutex
	members map[*client]bool
}

var (
	rooms   = make(map[string]*room)
	roomsMu sync.Mutex
)

func roomOf(name string) *room {
	roomsMu.Lock()
	defer roomsMu.Unlock()
	r := rooms[name]
	if r == nil {
		r = &room{members: make(map[*client]bool)}
		rooms[name] = r
	}
	return r
}

type client struct {
	conn  *websocket.Conn
	room  *room
	queue chan []byte // closed by room.drop
}

func (r *room) join(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[c] = true
	c.queue <- chat.Joined
}

func (r *room) leave(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(c)
}

// drop is for who holds the lock.
func (r *room) drop(c *client) {
	if r.members[c] {
		delete(r.members, c)
		close(c.queue)
	}
}

// tell gives a frame to all members. Who is too slow for it is closed.
func (r *room) tell(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.members {
		select {
		case c.queue <- frame:
		default:
			r.drop(c)
		}
	}
}

func connect(w http.ResponseWriter, r *http.Request) {
	conn := chat.Upgrade(w, r)
	if conn == nil {
		return
	}
	c := &client{conn: conn, room: roomOf(chat.MemberOf(r).Room), queue: make(chan []byte, chat.Queue)}
	c.room.join(c)
	go chat.WriteAll(conn, c.queue)
	go c.read() // the handler returns, so that its goroutine and buffers go
}

func (c *client) read() {
	chat.Read(c.conn, c.room.tell)
	c.room.leave(c)
	c.conn.Close()
}

func main() {
	chat.CompressFlag()
	chat.Main(connect)
}
