package hooks

import (
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// MaxKept is how many yeses a node keeps; one more lets another be
	// forgotten, and be asked for again.
	MaxKept = 1 << 16
	// MaxKeepFor is the longest time for which one is kept, whatever for_s says.
	MaxKeepFor = 24 * time.Hour
)

// kept are the yeses to joins that count for a while. Its methods may be called
// from any goroutine.
type kept struct {
	mu    sync.Mutex
	until map[place]time.Time
	kicks int // so far
}

type place struct {
	uid  string
	room wire.Room
}

// has reports whether the user may enter without asking, and if not how many
// kicks there were before the question.
func (k *kept) has(p place, now time.Time) (yes bool, kicks int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, found := k.until[p]
	if found && !now.Before(until) {
		delete(k.until, p)
		found = false
	}
	return found, k.kicks
}

// keep notes a yes, unless somebody was kicked while it was under way, and
// reports whether it did.
func (k *kept) keep(p place, until time.Time, kicks int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kicks != k.kicks {
		return false
	}
	if k.until == nil {
		k.until = make(map[place]time.Time)
	}
	if _, found := k.until[p]; !found && len(k.until) >= MaxKept {
		for other := range k.until { // any
			delete(k.until, other)
			break
		}
	}
	k.until[p] = until
	return true
}

// kick forgets a user's yes to a room, or to all for "".
func (k *kept) kick(uid string, room wire.Room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kicks++
	if room != "" {
		delete(k.until, place{uid, room})
		return
	}
	for p := range k.until {
		if p.uid == uid {
			delete(k.until, p)
		}
	}
}
