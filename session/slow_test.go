package session

import (
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// smallBuffers is a listener whose connections hold little in the kernel, so
// that a peer that does not read is noticed soon.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return conn, err
}

// dialSmall is dialRaw with a small receive buffer.
func (s *stack) dialSmall(query string) *peer {
	s.t.Helper()
	return s.dialWith(&websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return conn, err
	}}, query)
}

// A client that does not read is closed with 4001, resumes, and has lost
// nothing; the others do not notice.
func TestSlowClient(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.cfg.QueueMessages, set.cfg.QueueBytes = 32, 64<<10
		set.cfg.WriteTimeout = patience // the queue, not the clock, says that it is slow
		set.listen = func(l net.Listener) net.Listener { return smallBuffers{l} }
	})
	slow := s.dialSmall("token=" + s.token("slow"))
	at := slow.joined("general")
	server := s.client(slow)
	talker, other := s.user("talker"), s.user("other")

	pad := strings.Repeat("x", 4<<10)
	total := 0
	for ; server.closeCode() == 0; total++ { // until its queue is full
		talker.say("", text("%d %s", total, pad))
		other.heard("general", text("%d %s", total, pad))
		if total > 10_000 {
			t.Fatal("the queue of a client that does not read is never full")
		}
	}
	same(t, "the close code", server.closeCode(), wire.CloseTooSlow)
	before := slow.wantEnd(wire.CloseTooSlow) // it reads again, in time for the close frame
	<-server.Done()
	for range 3 {
		talker.say("", text("%d %s", total, pad))
		total++
	}

	got, last := 0, at.Seq
	take := func(ev wire.Event) {
		if ev.Type != wire.TypeNewMessage {
			return
		}
		message := decode[wire.Message](t, ev.Payload).Message
		if want := text("%d ", got); !strings.HasPrefix(message, want) || ev.Seq <= last {
			t.Fatalf("got %.10q with seq %d after %d, want %q", message, ev.Seq, last, want)
		}
		got, last = got+1, ev.Seq
	}
	for _, ev := range append(slow.unread, before...) {
		take(ev)
	}
	if got == 0 || got == total {
		t.Fatalf("%d of %d messages came before the close; this tests nothing", got, total)
	}
	back := s.dialSmall("token=" + s.token("slow") + "&" + resumeFrom(wire.Resume{Room: "general", Since: wire.Position{Epoch: at.Epoch, Seq: last}}))
	j := back.joined("general")
	if !j.Recovered {
		t.Errorf("resumed with %+v, want it recovered", j)
	}
	talker.say("", text("%d live", total))
	total++
	for got < total {
		take(back.awaitType(wire.TypeNewMessage))
	}
	talker.heard("general", text("%d live", total-1))
	other.heard("general", text("%d live", total-1))
	same(t, "closed with 4001", s.closed(wire.CloseTooSlow), 1)
	if s.m.Stats().Unsent.Load() == 0 {
		t.Error("nothing is counted as unsent")
	}
}

// While the log is away a client's publishes wait, at most publishWindow of
// them; it is not read further, and goes on where it was when the log is back.
func TestPublishWindow(t *testing.T) {
	dir := t.TempDir()
	s := newStack(t, func(set *setup) {
		set.nats = embedded.Config{Addr: "127.0.0.1:0", StoreDir: dir}
		set.rooms.Memory = false
		set.overTCP = true
	})
	p, other := s.user("ann"), s.user("bob")
	c := s.client(p)
	addr := strings.TrimPrefix(s.nats.URL(), "nats://")
	must(t, s.nats.Close())

	const total = publishWindow + 20
	for i := range total {
		p.send(wire.TypeSendMessage, text("m%d", i), "", wire.SendMessage{Message: text("m%d", i)})
	}
	p.send(wire.TypeHeartbeat, "after", "", nil)
	eventually(t, "the window is full", func() bool {
		return s.m.Stats().Received.Load() >= publishWindow && len(c.window) == publishWindow // there is one once an event was handled
	})
	other.silent() // another client is read
	same(t, "publishes without an ack", len(c.window), publishWindow)
	if n := s.m.Stats().Received.Load(); n > publishWindow+2 {
		t.Errorf("%d events were read, want no more than the window, the next, and another client's", n)
	}

	var err error
	s.nats, err = embedded.Start(embedded.Config{Addr: addr, StoreDir: dir})
	must(t, err)
	same(t, "what came after the window", p.answer("after").Type, wire.TypeAck)
	for i := range total {
		same(t, "the answer to a publish", p.answer(text("m%d", i)).Type, wire.TypeAck)
	}
	for i := range total {
		other.heard("general", text("m%d", i))
	}
	other.silent()
}

// A client that goes away while its publishes wait leaves nothing behind.
func TestGoneWhileTheWindowIsFull(t *testing.T) {
	s := newStack(t)
	var held []func(rooms.PubAck, error)
	hold := &holdingEngine{engine: s.eng, publish: func(done func(rooms.PubAck, error)) { held = append(held, done) }}
	s.m.eng = hold
	p := s.user("ann")
	c := s.client(p)
	for range publishWindow + 1 {
		p.send(wire.TypeSendMessage, "", "", `{"message":"x"}`)
	}
	eventually(t, "the window is full", func() bool {
		return s.m.Stats().Received.Load() >= publishWindow && len(c.window) == publishWindow // there is one once an event was handled
	})
	c.Close(wire.CloseRemoved)
	<-c.Done()
	same(t, "publishes", len(held), publishWindow)
	for _, done := range held { // an answer that nobody hears any more
		done(rooms.PubAck{}, nil)
	}
	same(t, "publishes without an ack", len(c.window), 0)
}

// holdingEngine is the real engine with the acks of publishes in the test's hand.
type holdingEngine struct {
	engine
	publish func(done func(rooms.PubAck, error))
}

func (h *holdingEngine) PublishAsync(_ wire.Room, _ wire.Body, _ rooms.PublishOptions, done func(rooms.PubAck, error)) {
	h.publish(done)
}

// Of a connection that is cut in the middle of a message the whole ones count.
func TestCutInTheMiddle(t *testing.T) {
	s := newStack(t)
	other := s.user("bob")
	for range 20 {
		raw := s.dialFrames()
		raw.until(1)
		frame := clientFrame(0x81, []byte(`{"type":"send_message","payload":{"message":"x"}}`))
		_, err := raw.conn.Write(append(frame, frame[:len(frame)-3]...))
		must(t, err)
		must(t, raw.conn.(*net.TCPConn).CloseWrite())
		other.heard("general", "x")
	}
	eventually(t, "all are gone", func() bool { return s.m.Count() == 1 })
	other.silent()
	same(t, "closed with 1006", s.closed(wire.CloseAbnormal), 20)
}

// Signals may be lost, so they end nobody's connection, however many come, and
// leave room in the queue for what may not.
func TestSignalsCloseNobody(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.cfg.QueueMessages, set.cfg.QueueBytes = 32, 64<<10
		set.cfg.WriteTimeout = patience
		set.listen = func(l net.Listener) net.Listener { return smallBuffers{l} }
	})
	slow := s.dialSmall("token=" + s.token("slow"))
	slow.joined("general")
	talker, other := s.user("talker"), s.user("other")
	pad := text(`{"pad":%q}`, strings.Repeat("x", 4<<10))
	for n := 0; s.m.Stats().SignalsLost.Load() == 0; n++ {
		talker.send(wire.TypeSignal, "", "", pad)
		other.awaitType(wire.TypeSignal)
		if n > 10_000 {
			t.Fatal("the queue of a client that does not read is never half full")
		}
	}
	talker.say("", "not lost")
	other.heard("general", "not lost")
	same(t, "the close code of who did not read", s.client(slow).closeCode(), 0)
	slow.heard("general", "not lost")
}
