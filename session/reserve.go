package session

import (
	"net/http"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// A connection has a slot from before its upgrade until its end: reserve or
// reserveAlways, then add and remove, or cancel.

// reserve takes a slot, within the limits on new connections.
func (m *Manager) reserve(from address) (status int, refusal *wire.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		m.stats.RefusedCapacity.Add(1)
		return http.StatusServiceUnavailable, errDraining
	}
	if limit := m.cfg.MaxConnections; limit > 0 && len(m.clients)+m.opening >= limit {
		m.stats.RefusedCapacity.Add(1)
		return http.StatusServiceUnavailable, wire.Errorf(wire.Busy, "this node is full; try again later or connect to another")
	}
	if limit := m.cfg.MaxConnectionsPerAddress; limit > 0 && m.byAddress[from.key] >= limit {
		m.stats.RefusedRate.Add(1)
		return http.StatusTooManyRequests, wire.Errorf(wire.RateLimited, "too many connections from your address; close one first")
	}
	if m.connects != nil && !m.connects.Allow() {
		m.stats.RefusedRate.Add(1)
		return http.StatusTooManyRequests, wire.Errorf(wire.RateLimited, "too many new connections; try again in a moment")
	}
	m.occupy(from)
	return 0, nil
}

// reserveAlways takes a slot whatever the limits are, unless the manager is
// stopping.
func (m *Manager) reserveAlways(from address) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return errDraining
	}
	m.occupy(from)
	return nil
}

// occupy counts one more connection that is being opened. The caller holds mu.
func (m *Manager) occupy(from address) {
	m.opening++
	m.byAddress[from.key]++
	m.running.Add(1)
}

// cancel gives back the slot of a connection that was not opened.
func (m *Manager) cancel(from address) {
	m.mu.Lock()
	m.opening--
	m.dropAddress(from)
	m.mu.Unlock()
	m.running.Done()
}

// dropAddress counts one connection less for an address. The caller holds mu.
func (m *Manager) dropAddress(from address) {
	if m.byAddress[from.key]--; m.byAddress[from.key] <= 0 {
		delete(m.byAddress, from.key)
	}
}

// add gives the slot to the client. The welcome event is queued first, before
// any other goroutine can find the client. surplus are the user's oldest
// connections if there are too many now; draining says that the manager began
// to stop while the connection was being opened.
func (m *Manager) add(c *Client) (surplus []*Client, draining bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.welcome()
	m.opening--
	m.clients[c.id] = c
	own := append(m.byUser[c.who.UID], c)
	m.byUser[c.who.UID] = own
	open := 0
	for _, o := range slices.Backward(own) {
		if o.closeCode() != 0 {
			continue // is closing
		}
		if open++; m.cfg.MaxConnectionsPerUser > 0 && open > m.cfg.MaxConnectionsPerUser {
			surplus = append(surplus, o)
		}
	}
	return surplus, m.draining
}

// remove gives back the client's slot.
func (m *Manager) remove(c *Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, c.id)
	m.dropAddress(c.from)
	own := slices.DeleteFunc(m.byUser[c.who.UID], func(x *Client) bool { return x == c })
	if len(own) == 0 {
		delete(m.byUser, c.who.UID)
	} else {
		m.byUser[c.who.UID] = own
	}
}
