package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The bytes that are queued for all clients together are limited by
// rooms.Config.WaitingBytes. Beyond it the clients with the longest queues are
// closed with 4001. They resume, and lose nothing.
const (
	// shedExtra: 1/8 of the limit more than needed is freed, so that it does
	// not start again at once.
	shedExtra = 8
	// relieveLike is which part of what waits for the one for whom most waits
	// must wait for others who are closed with it. Those for whom less waits,
	// as for nearly everybody on a busy machine, are closed only when that one
	// has let go and it was not enough.
	relieveLike = 8
	// shedPause is the time for closed clients to release their queues before
	// others are closed.
	shedPause = 50 * time.Millisecond
)

// shedSoon is called when too much is queued. It does not wait.
func (m *Manager) shedSoon() {
	if m.shedding.CompareAndSwap(false, true) {
		go m.shed()
	}
}

// shed closes clients until the queues are within the limit again.
func (m *Manager) shed() {
	for m.ctx.Err() == nil {
		over := m.waiting.Over()
		if over == 0 {
			m.shedding.Store(false)
			if m.waiting.Over() == 0 || !m.shedding.CompareAndSwap(false, true) { // it was exceeded again in between
				return
			}
			continue
		}
		m.closeSlowest(over + m.waiting.Limit()/shedExtra)
		select {
		case <-time.After(shedPause):
		case <-m.ctx.Done():
		}
	}
}

// closeSlowest closes the clients with the longest queues, until these add up
// to `free` bytes; less is freed where they share bursts with others.
func (m *Manager) closeSlowest(free int64) {
	type owed struct {
		c     *Client
		bytes int64
	}
	m.mu.Lock()
	list := make([]owed, 0, len(m.clients))
	for _, c := range m.clients {
		if bytes := c.pendingBytes(); bytes > 0 {
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
		o.c.closeSlow()
	}
}

// pendingBytes returns how much is queued for the client, as charged, and being
// written to it.
func (c *Client) pendingBytes() int64 { return int64(c.self.Bytes()) + c.writing.Load() }

// closeSlow closes the client and aborts the present write.
func (c *Client) closeSlow() {
	if c.closeCode() == 0 {
		c.m.stats.QueuesCut.Add(1)
	}
	c.Close(wire.CloseTooSlow)
	if c.writing.Load() > 0 {
		_ = c.conn.SetWriteDeadline(time.Now()) // fails only on a closed connection
	}
}

// awaitWritten waits, before a join that replays events, until most of the
// client's queue is written: a client that resumes many rooms gets them one
// after the other, as fast as it reads.
func (c *Client) awaitWritten(ctx context.Context, since rooms.Since) error {
	if since == (rooms.Since{}) || c.pendingBytes() <= int64(c.m.cfg.QueueBytes/4) {
		return nil
	}
	written := make(chan struct{})
	// An error has closed the connection; Written is called all the same.
	_ = c.deliver(&rooms.Burst{Written: func() { close(written) }})
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		c.m.stats.ResumesSlow.Add(1)
		return wire.Errorf(wire.Busy, "you have not taken yet what you were sent before; join again when you have")
	}
}

// acquirePage takes a slot for answering a page of history, or a list of users.
// The caller calls done when it has been answered. turns says that it is for
// history, of which a user and an address may have only a few running.
func (r *Request) acquirePage(turns bool) (done func(), err error) {
	c := r.client
	pages, key := c.m.pages, c.fairKey()
	if !pages.join(key) {
		c.m.stats.LimitedReads.Add(1)
		return nil, wire.Errorf(wire.Busy, "too many requests for history and lists of people of yours, or of your address, wait; try again in a moment")
	}
	ctx, cancel := r.context()
	defer cancel()
	releaseReads := func() {}
	if turns {
		if releaseReads, err = r.acquireReads(ctx); err != nil {
			pages.leave(key)
			return nil, err
		}
	}
	if !pages.acquire(ctx, key, c.m.now()) {
		releaseReads()
		pages.leave(key)
		c.m.stats.PagesBusy.Add(1)
		return nil, wire.Errorf(wire.Busy, "too many pages of history and lists of people are being read; try again in a moment")
	}
	return func() {
		pages.release()
		releaseReads()
		pages.leave(key)
	}, nil
}

// fairKey is the key for the client's requests for pages: the address, or the
// user where that has no budget.
func (c *Client) fairKey() string {
	if c.from.exempt {
		return "@" + c.who.UID
	}
	return c.from.key
}
