package session

import (
	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// member is a Client as its rooms see it: methods that only rooms may call are
// not exported on Client.
type member Client

func (m *member) client() *Client { return (*Client)(m) }

func (m *member) ID() string                { return m.client().ID() }
func (m *member) User() wire.User           { return m.client().User() }
func (m *member) Guest() bool               { return m.client().Guest() }
func (m *member) Close(code wire.CloseCode) { m.client().Close(code) }

// Deliver queues a burst. A client whose queue is full is closed with 4001; a
// Lossy burst is dropped for one whose queue is half full.
func (m *member) Deliver(b *rooms.Burst) error {
	c := m.client()
	if b.Asked > 0 {
		c.chargeAnswer(b.Asked)
	}
	b.Hold(c.m.waiting)
	err := c.queue(b)
	if err != nil {
		b.Release(c.m.waiting)
	}
	switch {
	case err == actor.ErrFull && b.Lossy:
		c.m.stats.SignalsLost.Add(1)
		return nil
	case err == actor.ErrFull:
		c.Close(wire.CloseTooSlow)
	}
	return err
}

// queue puts a burst into the mailbox, a Lossy one only if it is less than half
// full.
func (c *Client) queue(b *rooms.Burst) error {
	if b.Lossy {
		return c.self.Offer(outgoing{burst: b})
	}
	return c.self.Send(outgoing{burst: b})
}

// Left is called by a room that has removed the client.
func (m *member) Left(room wire.Room) { m.client().removeRoom(room) }

// member returns the client as its rooms see it.
func (c *Client) member() *member { return (*member)(c) }

// deliver queues a burst as rooms do.
func (c *Client) deliver(b *rooms.Burst) error { return c.member().Deliver(b) }
