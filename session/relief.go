package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What waits for all clients together has a bound: rooms.Config.WaitingBytes.
// Beyond it those for whom most waits are closed with 4001. They resume, and
// lose nothing.
const (
	// relieveMore is by which part of the bound more than is needed is let go, so
	// that it does not begin again at once.
	relieveMore = 8
	// relieveLike is which part of what waits for the one for whom most waits must
	// wait for others who are closed with it. Those for whom less waits, as for
	// nearly everybody on a busy machine, are closed only when that one has let go
	// and it was not enough.
	relieveLike = 8
	// relievePause is what those who were closed get to let go, before others are.
	relievePause = 50 * time.Millisecond
)

// relieveSoon is called when too much waits. It does not wait.
func (m *Manager) relieveSoon() {
	if m.relieving.CompareAndSwap(false, true) {
		go m.relieve()
	}
}

// relieve closes clients until no more waits than may.
func (m *Manager) relieve() {
	for m.ctx.Err() == nil {
		over := m.waiting.Over()
		if over == 0 {
			m.relieving.Store(false)
			if m.waiting.Over() == 0 || !m.relieving.CompareAndSwap(false, true) { // what came in between has called nobody
				return
			}
			continue
		}
		m.closeSlowest(over + m.waiting.Limit()/relieveMore)
		select {
		case <-time.After(relievePause):
		case <-m.ctx.Done():
		}
	}
}

// closeSlowest closes those for whom most waits, so many that they let go of as
// much; less where they share it with others. Who is closed and has not let go
// yet is among them.
func (m *Manager) closeSlowest(free int64) {
	type owed struct {
		c     *Client
		bytes int64
	}
	m.mu.Lock()
	list := make([]owed, 0, len(m.clients))
	for _, c := range m.clients {
		if bytes := c.owed(); bytes > 0 {
			list = append(list, owed{c, bytes})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b owed) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, o := range list {
		if free <= 0 || o.bytes < list[0].bytes/relieveLike {
			return
		}
		free -= o.bytes
		o.c.cut()
	}
}

// owed is what waits for the client, as it is charged to its queue, and what is
// being written to it.
func (c *Client) owed() int64 { return int64(c.self.Bytes()) + c.inHand.Load() }

// cut closes the client and ends the write that it does not take.
func (c *Client) cut() {
	if c.closeCode() == 0 {
		c.m.stats.QueuesCut.Add(1)
	}
	c.Close(wire.CloseTooSlow)
	if c.inHand.Load() > 0 {
		_ = c.conn.SetWriteDeadline(time.Now()) // fails only on a closed connection
	}
}

// roomFor waits, before a join that wants something replayed, until the client
// has taken most of what it was sent before: who resumes many rooms gets them
// one after the other as it takes them.
func (c *Client) roomFor(ctx context.Context, since rooms.Since) error {
	if since == (rooms.Since{}) || c.owed() <= int64(c.m.cfg.QueueBytes/4) {
		return nil
	}
	written := make(chan struct{})
	// An error has closed the connection, and then the burst counts as written.
	_ = c.deliver(&rooms.Burst{Written: func() { close(written) }})
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		c.m.stats.ResumesSlow.Add(1)
		return wire.Errorf(wire.Busy, "you have not taken yet what you were sent before; join again when you have")
	}
}

// page takes a place among the pages of history, and of who is there, that are
// being answered. The caller calls done when it has been. turns says whether it
// is for history, of which a user and an address have few under way at once.
func (r *Request) page(turns bool) (done func(), err error) {
	c := r.client
	pages, key := c.m.pages, c.lineKey()
	if !pages.join(key) {
		c.m.stats.LimitedReads.Add(1)
		return nil, wire.Errorf(wire.Busy, "too many requests for history and lists of people of yours, or of your address, wait; try again in a moment")
	}
	ctx, cancel := r.context()
	defer cancel()
	back := func() {}
	if turns {
		if back, err = r.turn(ctx); err != nil {
			pages.leave(key)
			return nil, err
		}
	}
	if !pages.acquire(ctx, key, c.m.now()) {
		back()
		pages.leave(key)
		c.m.stats.PagesBusy.Add(1)
		return nil, wire.Errorf(wire.Busy, "too many pages of history and lists of people are being read; try again in a moment")
	}
	return func() {
		pages.release()
		back()
		pages.leave(key)
	}, nil
}

// lineKey is by what its requests for pages are counted: the address, or the
// user where that has no budget.
func (c *Client) lineKey() string {
	if c.from.exempt {
		return "@" + c.who.UID
	}
	return c.from.key
}
