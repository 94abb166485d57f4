package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// unfinished is the list of clients with an incomplete message, oldest first.
// What they hold in memory is limited by Config.UnfinishedBytes. Its methods
// may be called from any goroutine.
type unfinished struct {
	maxBytes int64 // bytes; fixed

	mu          sync.Mutex
	bytes       int64
	first, last *Client
}

// unfinishedEntry is a client's entry in the list, guarded by unfinished.mu.
type unfinishedEntry struct {
	bytes      int64
	prev, next *Client
}

// hold records that a client holds so many bytes of its message. If all
// together hold too much, the oldest are removed from the list and returned, to
// be closed.
func (u *unfinished) hold(c *Client, bytes int) (cut []*Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.unfinishedEntry == nil {
		u.append(c)
	}
	u.bytes += int64(bytes) - c.unfinishedEntry.bytes
	c.unfinishedEntry.bytes = int64(bytes)
	for u.bytes > u.maxBytes && u.first != nil {
		cut = append(cut, u.first)
		u.remove(u.first)
	}
	return cut
}

// done records that a client's message is complete.
func (u *unfinished) done(c *Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.unfinishedEntry != nil {
		u.remove(c)
	}
}

// append needs mu.
func (u *unfinished) append(c *Client) {
	c.unfinishedEntry = &unfinishedEntry{prev: u.last}
	if u.last != nil {
		u.last.unfinishedEntry.next = c
	} else {
		u.first = c
	}
	u.last = c
}

// remove needs mu.
func (u *unfinished) remove(c *Client) {
	prev, next := c.unfinishedEntry.prev, c.unfinishedEntry.next
	if prev != nil {
		prev.unfinishedEntry.next = next
	} else {
		u.first = next
	}
	if next != nil {
		next.unfinishedEntry.prev = prev
	} else {
		u.last = prev
	}
	u.bytes -= c.unfinishedEntry.bytes
	c.unfinishedEntry = nil
}

// UnfinishedBytes returns how much memory incomplete messages take, in bytes.
func (m *Manager) UnfinishedBytes() int64 {
	m.unfinished.mu.Lock()
	defer m.unfinished.mu.Unlock()
	return m.unfinished.bytes
}

// cutUnfinished closes a client because of its incomplete message, without
// waiting for its close frame: it would hold the memory until then.
func (c *Client) cutUnfinished() {
	c.abrupt.Store(true)
	if c.closeCode() == 0 {
		c.m.stats.UnfinishedCut.Add(1)
	}
	c.Close(wire.CloseTooSlow)
}
