package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// Client is one connection. Its exported methods may be called from any
// goroutine. Nearly all clients are silent nearly all the time, so what only one
// that does something needs is made when it does: see TestClientIsSmall.
type Client struct {
	// fixed after start
	m    *Manager
	id   string
	who  auth.Identity
	from address
	in   socket.Source // of the reading goroutine
	conn socket.Conn   // written by the actor only
	self *actor.Ref[outgoing]
	ping time.Duration // jittered, so that clients that came together do not ping together

	accounts [owners]*budget.Account // what it spends from; of the address: nil for one without a budget

	handshake *[]byte // the answer to it, if it is not written yet; owned by the actor

	// written by any goroutine
	heard   atomic.Int64  // when the last frame came from the peer, in nanoseconds after m.born
	inHand  atomic.Int64  // bytes that are being written, if they are many
	ending  atomic.Uint32 // the close code, with byPeer if it is the peer's; 0 while open. The first one stands
	removed atomic.Bool   // an operator has ended it; it keeps no seat, whatever else ended it first
	abrupt  atomic.Bool   // the peer's close frame is not waited for: see cutUnfinished

	deflate bool // what is written may be compressed; fixed after start

	// owned by the reading goroutine
	answered bool          // the peer's close frame has come
	hurried  bool          // the connection has a read deadline: see hurry
	bad      uint8         // events in a row that were no events, up to maxBadFrames
	late     time.Duration // when the read deadline is
	events   budget.Bucket // what it sent
	refusals budget.Bucket // what was refused of it: see flooded
	window   chan struct{} // one element per publish without an ack; the acks take them out. nil: nothing was published yet
	verdicts *verdicts     // nil: no event of it was asked about yet

	traffic    traffic
	wheelEntry wheelEntry // guarded by m.wheel.mu
	begun      *begun     // guarded by m.unfinished.mu; nil: no message is begun and not ended

	mu      sync.Mutex
	rooms   []string      // clean names of the rooms it is in, the inbox not among them
	current string        // one of rooms, or ""
	done    chan struct{} // closed when the connection has ended; nil: nobody has asked
}

// ID names the connection; it is the client_id of the welcome event.
func (c *Client) ID() string { return c.id }

// User is who it is, as others see it.
func (c *Client) User() wire.User {
	return wire.User{UID: c.who.UID, Username: c.who.Username, AvatarID: c.who.AvatarID}
}

// Guest reports whether the user is a guest.
func (c *Client) Guest() bool { return c.who.Guest }

// Identity is who it is, with what the login granted.
func (c *Client) Identity() auth.Identity { return c.who }

// Done is closed when the connection has ended and its rooms have been told.
func (c *Client) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

// alreadyClosed is for who asks late, or for whom there is nothing to wait for.
var alreadyClosed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// ended closes Done.
func (c *Client) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = alreadyClosed
		return
	}
	close(c.done)
}

// Send queues one event for the client. A single large one, such as a page of
// history, is charged as a quarter of the queue at most: it is no sign of a
// slow client.
func (c *Client) Send(ev wire.Event) error { return c.sendOwn(rooms.EventBurst(ev)) }

// sendPayload is Send of ev with a payload of package wire.
func (c *Client) sendPayload(ev wire.Event, payload any) error {
	return c.sendOwn(rooms.PayloadBurst(ev, payload))
}

func (c *Client) sendOwn(b *rooms.Burst) error {
	b.Whole = true
	return c.deliver(b)
}

// byPeer marks a close code that the peer chose.
const byPeer = 1 << 16

// Close ends the connection with a close code, at once: what is being written
// is ended, what waits is still written before the close frame, unless the
// code is 4001. The first code stands. With 0 it is 1000.
func (c *Client) Close(code wire.CloseCode) {
	if code == 0 {
		code = wire.CloseNormal
	}
	if code == wire.CloseRemoved {
		c.removed.Store(true)
	}
	c.end(uint32(code))
}

func (c *Client) end(how uint32) {
	if c.ending.CompareAndSwap(0, how) {
		c.self.Stop()
	}
}

// Rooms returns the rooms the client is in, its inbox not among them, and the
// current one ("" when there is none).
func (c *Client) Rooms() (in []string, current string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.rooms), c.current
}

func (c *Client) isIn(room string) bool {
	if room == c.inbox() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.rooms, room)
}

// remember notes that the client is in the room. It fails when there is no
// place left, not counting the room `instead` of which it is entered.
func (c *Client) remember(room, instead string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.rooms, room) {
		return nil
	}
	used := len(c.rooms)
	if slices.Contains(c.rooms, instead) {
		used--
	}
	if used >= MaxRooms {
		return wire.Errorf(wire.TooManyRooms, "a client is in at most %d rooms; leave one first", MaxRooms)
	}
	c.rooms = append(c.rooms, room)
	return nil
}

// setCurrent makes a room that the client is in the current one, if there is none,
// or in any case if inAnyCase.
func (c *Client) setCurrent(room string, inAnyCase bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (inAnyCase || c.current == "") && slices.Contains(c.rooms, room) {
		c.current = room
	}
}

// forget notes that the client left the room.
func (c *Client) forget(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.rooms, room); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
	}
	if c.current == room {
		c.current = ""
	}
}

func (c *Client) inbox() string { return wire.Inbox(c.who.UID) }

// closeCode is how the connection ended, or ends; 0 while it is open.
func (c *Client) closeCode() wire.CloseCode { return wire.CloseCode(c.ending.Load()) }

// closedByPeer reports whether the peer ended the connection in order.
func (c *Client) closedByPeer() bool { return c.ending.Load()&byPeer != 0 }

// comesBack reports whether a client that has ended keeps its seats for the
// grace. Who was removed does not, also when the connection had broken before.
func (c *Client) comesBack() bool {
	if c.removed.Load() {
		return false
	}
	if c.closedByPeer() {
		return c.closeCode().KeptByPeer()
	}
	return c.closeCode().KeepsSeat()
}

// request returns the context for what a handler waits for.
func (c *Client) request() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.m.ctx, requestTimeout)
}

// due is called by the wheel: the actor looks at its times. One whose peer was
// heard is not woken, which holds for nearly all who were pinged and for all
// who talk.
func (c *Client) due() {
	now := time.Now()
	c.m.eng.MarkUserSeen(c.who.UID)
	if exp := c.who.Expires; !c.silent(now) && (exp.IsZero() || exp.Sub(now) > c.ping) {
		c.m.wheel.set(c, c.lastHeard().Add(c.ping).Sub(now))
		return
	}
	c.wake()
}

// silent reports whether it is time for a ping; a ping may be early by a step.
func (c *Client) silent(now time.Time) bool {
	return now.Sub(c.lastHeard()) >= c.ping-c.m.wheel.step
}

// wake makes the actor look at its times. Nothing in that waits for the peer if
// the connection is Nonblocking.
func (c *Client) wake() {
	send := c.self.Send
	if c.conn.Nonblocking() {
		send = c.self.SendInline
	}
	// A full mailbox takes a tick too; a stopped actor needs none.
	_ = send(outgoing{})
}

// hear notes a sign of life, and returns when that was.
func (c *Client) hear() (now time.Duration) {
	now = c.m.now()
	c.heard.Store(int64(now))
	return now
}

// lastHeard is when the last sign of life came.
func (c *Client) lastHeard() time.Time { return c.m.born.Add(time.Duration(c.heard.Load())) }
