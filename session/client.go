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
	ping time.Duration // jittered, so that clients that connected together are not pinged together

	accounts [owners]*budget.Account // of its client, user and address; nil for an address without a budget

	handshake *[]byte // the response to it, if it is not written yet; owned by the actor

	// written by any goroutine
	lastFrame atomic.Int64  // when the last frame came from the peer, in nanoseconds since m.started
	writing   atomic.Int64  // bytes that are being written, if they exceed writingAbove
	ending    atomic.Uint32 // the close code, with byPeer if it is the peer's; 0 while open. The first one counts
	removed   atomic.Bool   // closed with 4001 by an operator: it keeps no seat, whatever closed it first
	abrupt    atomic.Bool   // do not wait for the peer's close frame: see cutUnfinished

	deflate bool // what is written may be compressed; fixed after start

	// owned by the reading goroutine
	answered        bool          // the peer's close frame has come
	hasDeadline     bool          // the connection has a read deadline: see onIncomplete
	badFrames       uint8         // messages in a row that were no events, up to maxBadFrames
	messageDeadline time.Duration // when the read deadline is
	events          budget.Bucket // events received
	refusals        budget.Bucket // refused events: see closeIfFlooding
	window          chan struct{} // one element per publish without an ack; the acks take them out. nil: nothing was published yet
	verdicts        *verdicts     // nil: Hooks.Publish was not called yet

	traffic         traffic
	wheelEntry      wheelEntry       // guarded by m.wheel.mu
	unfinishedEntry *unfinishedEntry // guarded by m.unfinished.mu; nil: no message is begun and not ended

	mu      sync.Mutex
	rooms   []wire.Room   // that it is in, the inbox not among them
	current wire.Room     // one of rooms, or ""
	done    chan struct{} // closed when the connection has ended; nil: nobody has asked
}

// ID names the connection; it is the client_id of the welcome event.
func (c *Client) ID() string { return c.id }

// User returns the user as others see it.
func (c *Client) User() wire.User {
	return wire.User{UID: c.who.UID, Username: c.who.Username, AvatarID: c.who.AvatarID}
}

// Guest reports whether the user is a guest.
func (c *Client) Guest() bool { return c.who.Guest }

// Identity returns the user with everything that the login granted.
func (c *Client) Identity() auth.Identity { return c.who }

// Done returns a channel that is closed when the connection has ended and its
// rooms have been left.
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
// history, is charged to the queue as a quarter of it at most, because it is no
// sign of a slow client. An error says that the connection has ended, or was
// closed because its queue is full.
func (c *Client) Send(ev wire.Event) error { return c.sendOwn(rooms.EventBurst(ev)) }

// sendPayload is Send for ev with a payload type of package wire.
func (c *Client) sendPayload(ev wire.Event, payload any) error {
	return c.sendOwn(rooms.PayloadBurst(ev, payload))
}

func (c *Client) sendOwn(b *rooms.Burst) error {
	b.Whole = true
	return c.deliver(b)
}

// byPeer marks a close code that came from the peer.
const byPeer = 1 << 16

// Close closes the connection with a close code, and does not wait. Everything
// queued is still written before the close frame, unless the code is 4001. The
// first code counts. 0 means 1000.
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
func (c *Client) Rooms() (in []wire.Room, current wire.Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.rooms), c.current
}

func (c *Client) isIn(room wire.Room) bool {
	if room == c.inbox() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.rooms, room)
}

// addRoom records that the client is in the room. It fails when the client is
// in too many rooms, not counting the room `instead`, which will be left.
func (c *Client) addRoom(room, instead wire.Room) error {
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

// setCurrent makes a room that the client is in the current one, if there is
// none or if inAnyCase.
func (c *Client) setCurrent(room wire.Room, inAnyCase bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (inAnyCase || c.current == "") && slices.Contains(c.rooms, room) {
		c.current = room
	}
}

// removeRoom records that the client has left the room.
func (c *Client) removeRoom(room wire.Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.rooms, room); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
	}
	if c.current == room {
		c.current = ""
	}
}

func (c *Client) inbox() wire.Room { return wire.Inbox(c.who.UID) }

// closeCode returns the code with which the connection ended, or will end; 0
// while it is open.
func (c *Client) closeCode() wire.CloseCode { return wire.CloseCode(c.ending.Load()) }

// closedByPeer reports whether the peer sent a close frame first.
func (c *Client) closedByPeer() bool { return c.ending.Load()&byPeer != 0 }

// keepsSeat reports whether a client whose connection has ended keeps its seats
// for the grace period. A removed one does not, even if its connection had
// broken before.
func (c *Client) keepsSeat() bool {
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

// onDue is called by the wheel when the actor may have to ping or close. If a
// frame has come since, which is so for nearly all that were pinged and all
// that send, the actor is not woken.
func (c *Client) onDue() {
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

// wake makes the actor check its deadlines. If the connection is Nonblocking,
// nothing in that waits for the peer.
func (c *Client) wake() {
	send := c.self.Send
	if c.conn.Nonblocking() {
		send = c.self.SendInline
	}
	// A full mailbox takes a tick too; a stopped actor needs none.
	_ = send(outgoing{})
}

// markAlive records that a frame came, and returns the time.
func (c *Client) markAlive() (now time.Duration) {
	now = c.m.now()
	c.lastFrame.Store(int64(now))
	return now
}

// lastHeard returns when the last frame came.
func (c *Client) lastHeard() time.Time { return c.m.started.Add(time.Duration(c.lastFrame.Load())) }
