package hooks

import (
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// MaxCached is how many permissions a node caches; one more evicts another.
	MaxCached = 1 << 16
	// MaxCacheTTL is the longest time that one is cached, whatever for_s says.
	MaxCacheTTL = 24 * time.Hour
)

// joinCache caches permissions to join. Its methods may be called from any
// goroutine.
type joinCache struct {
	mu    sync.Mutex
	until map[cacheKey]time.Time
	kicks int // since the start
}

type cacheKey struct {
	uid  string
	room wire.Room
}

// has reports whether a permission is cached, and returns the number of kicks
// so far, for put.
func (k *joinCache) has(p cacheKey, now time.Time) (allowed bool, kicks int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, found := k.until[p]
	if found && !now.Before(until) {
		delete(k.until, p)
		found = false
	}
	return found, k.kicks
}

// put caches a permission, unless somebody was kicked since has was called, and
// reports whether it did.
func (k *joinCache) put(p cacheKey, until time.Time, kicks int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kicks != k.kicks {
		return false
	}
	if k.until == nil {
		k.until = make(map[cacheKey]time.Time)
	}
	if _, found := k.until[p]; !found && len(k.until) >= MaxCached {
		for other := range k.until { // any
			delete(k.until, other)
			break
		}
	}
	k.until[p] = until
	return true
}

// kick drops the permission of a user for a room, or with "" for all.
func (k *joinCache) kick(uid string, room wire.Room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kicks++
	if room != "" {
		delete(k.until, cacheKey{uid, room})
		return
	}
	for p := range k.until {
		if p.uid == uid {
			delete(k.until, p)
		}
	}
}
