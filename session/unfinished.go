package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// unfinished are the clients that have begun a message whose end has to be
// waited for, in the order in which they began. What they hold has a bound:
// Config.UnfinishedBytes. Its methods may be called from any goroutine.
type unfinished struct {
	most int64 // bytes; fixed

	mu          sync.Mutex
	bytes       int64
	first, last *Client
}

// begun is a client's place among the unfinished, guarded by unfinished.mu.
type begun struct {
	bytes      int64
	prev, next *Client
}

// hold notes that a client holds so many bytes of its message. If all hold too
// much, those who have waited for the longest are taken out and returned: they
// are to be closed. Those who send at all are done in far less.
func (u *unfinished) hold(c *Client, bytes int) (cut []*Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.begun == nil {
		u.append(c)
	}
	u.bytes += int64(bytes) - c.begun.bytes
	c.begun.bytes = int64(bytes)
	for u.bytes > u.most && u.first != nil {
		cut = append(cut, u.first)
		u.remove(u.first)
	}
	return cut
}

// done notes that a client holds nothing any more.
func (u *unfinished) done(c *Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.begun != nil {
		u.remove(c)
	}
}

// append needs mu.
func (u *unfinished) append(c *Client) {
	c.begun = &begun{prev: u.last}
	if u.last != nil {
		u.last.begun.next = c
	} else {
		u.first = c
	}
	u.last = c
}

// remove needs mu.
func (u *unfinished) remove(c *Client) {
	prev, next := c.begun.prev, c.begun.next
	if prev != nil {
		prev.begun.next = next
	} else {
		u.first = next
	}
	if next != nil {
		next.begun.prev = prev
	} else {
		u.last = prev
	}
	u.bytes -= c.begun.bytes
	c.begun = nil
}

// UnfinishedBytes is what clients hold of messages that they have begun and not
// ended.
func (m *Manager) UnfinishedBytes() int64 {
	m.unfinished.mu.Lock()
	defer m.unfinished.mu.Unlock()
	return m.unfinished.bytes
}

// cutUnfinished closes a client for what it holds of a message. It is not
// listened to until it says goodbye: it would hold on to it meanwhile.
func (c *Client) cutUnfinished() {
	c.abrupt.Store(true)
	if c.closeCode() == 0 {
		c.m.stats.UnfinishedCut.Add(1)
	}
	c.Close(wire.CloseTooSlow)
}
