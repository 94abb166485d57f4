package session

import (
	"net"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Peers that fall silent without a close cost nothing any more once a ping was
// not answered: no connection, no goroutine, no memory.
func TestDeadPeersAreFreed(t *testing.T) {
	const dead = 200
	s := newStack(t, func(set *setup) {
		set.cfg.Ping, set.cfg.Pong = time.Second, time.Second
		set.rooms.PresenceGrace = 200 * time.Millisecond
		set.rooms.IdleAfter = 200 * time.Millisecond
	})
	round := func(dead int) (goroutines int, heap int64) {
		conns := make([]net.Conn, dead)
		for i := range conns {
			conn, err := net.Dial("tcp", s.addr())
			must(t, err)
			handshake(t, conn).until(1) // and never reads or writes again
			conns[i] = conn
		}
		eventually(t, "all are connected", func() bool { return s.m.Count() == dead && usersOf(s) == int64(dead) })
		goroutines, heap = runtime.NumGoroutine(), heapInUse()
		eventually(t, "all are gone", func() bool { return s.m.Count() == 0 && usersOf(s) == 0 })
		eventually(t, "the rooms are unloaded", func() bool { _, open := s.eng.Room("general"); return !open })
		for _, conn := range conns {
			conn.Close()
		}
		return goroutines, heap
	}
	round(dead) // what is made for the most there ever were: the runtime's goroutines, maps, buffers of NATS
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	more, held := round(dead)
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	held -= heap
	if more < goroutines+dead*9/10 || held < dead*4000 {
		t.Errorf("%d connections held %d goroutines and %d bytes; this tests nothing", dead, more-goroutines, held)
	}
	if grown := heapInUse() - heap; grown > held/4 {
		t.Errorf("the heap is larger by %d bytes after %d dead connections, which held %d", grown, dead, held)
	}
	same(t, "closed with 4002", s.closed(wire.CloseNoHeartbeat), 2*dead)
	same(t, "what the manager holds", s.held(), 0)
}

func usersOf(s *stack) int64 {
	info, _ := s.eng.Room("general")
	return info.Users
}

func heapInUse() int64 {
	runtime.GC()
	debug.FreeOSMemory() // and what finalizers and pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
