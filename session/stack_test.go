//go:build !race

package session

import (
	"bytes"
	"io"
	"net"
	"testing"
	"unsafe"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// watchedWriter tells whether its goroutine's stack moved while it wrote.
type watchedWriter struct {
	writer
	moved chan bool
}

func (w *watchedWriter) Receive(b *actor.Batch[outgoing]) {
	var here byte
	before := uintptr(unsafe.Pointer(&here))
	w.writer.Receive(b)
	w.moved <- uintptr(unsafe.Pointer(&here)) != before
}

// A goroutine begins with a stack of 2 KB, and nearly every burst is written by a
// new one. A stack that has to grow for it makes a delivery a fifth dearer
// (bench fanout --rate 50), so the calls from the actor down to the system must
// fit. (With the race detector they do not.)
func TestWritingGrowsNoStack(t *testing.T) {
	for name, frames := range map[string]int{"one frame": 1, "several": 5, "more than are joined": 16<<10/300 + 9} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			ours, theirs := tcpPair(t)
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			c := s.m.newClient(socket.NewConn(ours), auth.Identity{UID: "ann"}, address{})
			w := &watchedWriter{writer: writer{c: c}, moved: make(chan bool)}
			c.self = actor.Spawn(s.m.actors, func(*actor.Ref[outgoing]) actor.Receiver[outgoing] { return w })
			frame := wire.AppendFrame(nil, wire.OpText, bytes.Repeat([]byte("x"), 300))
			burst := &rooms.Burst{Count: frames, Bytes: frames * len(frame)}
			for range frames {
				burst.Frames = append(burst.Frames, frame)
			}
			grew := 0
			for range 100 {
				must(t, c.self.Send(outgoing{burst}))
				if <-w.moved {
					grew++
				}
			}
			if grew > 10 { // a new write buffer needs more, after a collection
				t.Errorf("a stack grew for %d of 100 writes", grew)
			}
			c.self.Stop()
			<-c.self.Done()
		})
	}
}

func tcpPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	ours, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}
