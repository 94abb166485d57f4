package session

import "time"

// The rooms close the connections of a user whose sessions are ended. One that is
// being opened at that moment is in no room yet, and its credential may have been
// checked before: it is closed when it has joined.

// endedMemory is longer than opening a connection takes: the checks, the upgrade
// and the first joins have a bound each.
const endedMemory = time.Minute

// endedUsers are when users' sessions were last ended, within endedMemory.
type endedUsers map[string]time.Duration

// UserEnded says that a user's sessions are being ended: a connection of the user
// that is being opened now, on this node, is closed with 4503 as soon as it is
// open. It is for rooms.Config.Kicked, where room is "". It does not block, and
// may be called from any goroutine.
func (m *Manager) UserEnded(uid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for other, at := range m.ended {
		if now-at > endedMemory {
			delete(m.ended, other)
		}
	}
	if m.ended == nil {
		m.ended = make(endedUsers)
	}
	m.ended[uid] = now
}

// endedSince reports whether the user's sessions were ended after a connection
// had begun to open.
func (m *Manager) endedSince(uid string, began time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, found := m.ended[uid]
	return found && at >= began
}
