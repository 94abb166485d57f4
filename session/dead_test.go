package session

import (
	"maps"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Peers that fall silent without a close cost nothing any more once a ping was
// not answered: no connection, no goroutine, no memory. How long they have been
// silent is for the test to say: the clock pings nobody here.
func TestDeadPeersAreFreed(t *testing.T) {
	const dead = 200
	s := newStack(t, func(set *setup) {
		set.cfg.Ping, set.cfg.Pong = time.Hour, time.Second
		set.rooms.PresenceGrace = 200 * time.Millisecond
		set.rooms.IdleAfter = 200 * time.Millisecond
	})
	// What is remembered of a user for its time, such as what it has spent of its
	// budgets, has a bound of its own: the same ones come again.
	targets := make([]string, dead)
	for i := range targets {
		targets[i] = "/ws?token=" + s.token(text("dead-%d", i))
	}
	round := func() {
		conns := make([]net.Conn, dead)
		for i := range conns {
			conn, err := net.Dial("tcp", s.addr())
			must(t, err)
			handshakeAt(t, conn, targets[i]).until(1) // and never reads or writes again
			conns[i] = conn
		}
		eventually(t, "all are connected", func() bool { return s.m.Count() == dead && usersOf(s) == dead })
		goroutines := runtime.NumGoroutine()
		freed := s.silence()
		eventually(t, "all are gone", func() bool { return s.m.Count() == 0 && usersOf(s) == 0 })
		eventually(t, "the rooms are unloaded", func() bool { _, open := s.eng.RoomHere("general"); return !open })
		for _, conn := range conns {
			conn.Close()
		}
		eventually(t, "each held a goroutine, and does no more", func() bool { return runtime.NumGoroutine() <= goroutines-dead*9/10 })
		eventually(t, "nothing of them is in memory", func() bool {
			runtime.GC()
			freed = slices.DeleteFunc(freed, func(freed func() bool) bool { return freed() })
			return len(freed) == 0
		})
	}
	round() // what is made for the most there ever were: the runtime's goroutines, maps, buffers of NATS
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	round()
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	eventually(t, "the heap is no larger", func() bool { return heapInUse()-heap < dead*1000 })
	same(t, "closed with 4002", s.closed(wire.CloseNoHeartbeat), 2*dead)
	same(t, "what the manager holds", s.held(), 0)
}

// silence lets an hour pass in which no peer was heard: all are pinged. What it
// returns tells of each client, and of what hangs on it, whether it was freed.
func (s *stack) silence() (freed []func() bool) {
	s.m.mu.Lock()
	clients := slices.Collect(maps.Values(s.m.clients))
	s.m.mu.Unlock()
	for _, c := range clients {
		freed = append(freed, isFreed(c), isFreed(c.self), isFreed(c.conn.Conn.(*net.TCPConn)))
		c.lastFrame.Store(-int64(time.Hour))
		c.onDue()
	}
	return freed
}

func isFreed[T any](p *T) func() bool {
	weak := weak.Make(p)
	return func() bool { return weak.Value() == nil }
}

func usersOf(s *stack) int64 {
	info, _ := s.eng.RoomHere("general")
	return info.Users
}

func heapInUse() int64 {
	runtime.GC()
	debug.FreeOSMemory() // and what finalizers and pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
