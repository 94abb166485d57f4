package session

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// hammered is the payload of what the hammers send.
type hammered struct {
	By  int    `json:"by"`
	N   int    `json:"n"`
	Pad string `json:"pad"`
}

// One connection under everything at once: events from many goroutines, pings
// and events of the peer, and closes. Every frame is whole, each sender's
// events are in order, every event that was accepted arrives, and one close
// frame ends it.
func TestHammer(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.QueueMessages, set.cfg.QueueBytes = 1<<14, 16<<20 })
	for range 3 {
		raw := s.dialFrames()
		welcome := raw.until(1)
		p := &peer{t: t, welcome: decode[struct{ Payload wire.Welcome }](t, welcome).Payload}
		c := s.client(p)

		const hammers = 4
		var accepted [hammers]atomic.Int64
		var work sync.WaitGroup
		for by := range hammers {
			work.Go(func() {
				for n := 0; ; n++ {
					for c.self.Len() > 1000 && c.closeCode() == 0 {
						runtime.Gosched()
					}
					payload := wire.MarshalPayload(hammered{by, n, strings.Repeat("x", rand.N(300))})
					if c.Send(wire.Event{Type: "hammer", Payload: payload}) != nil {
						return
					}
					accepted[by].Add(1)
				}
			})
		}
		var pongs atomic.Uint32
		work.Go(func() { // the peer: pings and events, until it is closed
			for n := uint32(0); c.closeCode() == 0; n++ {
				for n > pongs.Load()+100 && c.closeCode() == 0 {
					runtime.Gosched()
				}
				ping := clientFrame(0x89, binary.BigEndian.AppendUint32(nil, n))
				if _, err := raw.conn.Write(append(ping, clientFrame(0x81, []byte(`{"type":"heartbeat"}`))...)); err != nil {
					return
				}
			}
		})
		code, got := raw.hammered(c, hammers, 1000, &pongs, &work)
		work.Wait()
		<-c.Done()
		if code != wire.CloseRemoved && code != wire.CloseGoing && code != wire.CloseForbidden {
			t.Errorf("the close code is %d", code)
		}
		for by := range hammers {
			same(t, text("what came of the events of %d", by), int64(got[by]), accepted[by].Load())
		}
		if pongs.Load() == 0 {
			t.Error("no ping was answered")
		}
	}
	same(t, "Unsent", s.m.Stats().Unsent.Load(), 0)
}

// hammered reads everything and checks it; after enough events, and a pong, it
// lets several goroutines close c.
func (raw *rawConn) hammered(c *Client, hammers, enough int, pongs *atomic.Uint32, work *sync.WaitGroup) (code wire.CloseCode, got []int) {
	got = make([]int, hammers)
	events, closing := 0, false
	for {
		op, payload, err := raw.frame()
		if errors.Is(err, io.EOF) && code != 0 {
			return code, got
		}
		must(raw.t, err)
		if code != 0 {
			raw.t.Fatalf("a frame of kind %d came after the close frame", op)
		}
		switch op {
		case 1:
			ev, err := wire.DecodeServer(payload)
			must(raw.t, err)
			if ev.Type != "hammer" {
				continue
			}
			var h hammered
			must(raw.t, json.Unmarshal(ev.Payload, &h))
			if h.N != got[h.By] {
				raw.t.Fatalf("event %d of %d came, want %d", h.N, h.By, got[h.By])
			}
			got[h.By]++
			if events++; events >= enough && pongs.Load() > 0 && !closing {
				closing = true
				for _, code := range []wire.CloseCode{wire.CloseRemoved, wire.CloseGoing, wire.CloseForbidden} {
					work.Go(func() { c.Close(code) })
				}
			}
		case 10:
			if n := binary.BigEndian.Uint32(payload); n != pongs.Load() {
				raw.t.Fatalf("pong %d came, want %d", n, pongs.Load())
			}
			pongs.Add(1)
		case 8:
			code = wire.CloseCode(binary.BigEndian.Uint16(payload))
		default:
			raw.t.Fatalf("a frame of kind %d", op)
		}
	}
}

// The acks of a client's events come in the order of the events, and so do the
// events themselves, each once.
func TestOrderOfAcksAndEvents(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.QueueMessages = 4096 }) // it does not read while it sends
	p, other := s.user("ann"), s.user("bob")
	const total = 300
	for i := range total {
		p.send(wire.TypeSendMessage, text("m%d", i), "", wire.SendMessage{Message: text("m%d", i)})
	}
	acks, events := 0, 0
	last := uint64(0)
	for acks < total || events < total {
		ev := p.read()
		switch ev.Type {
		case wire.TypeAck:
			same(t, "the ack", ev.ID, text("m%d", acks))
			acks++
		case wire.TypeNewMessage:
			same(t, "the message", decode[wire.Message](t, ev.Payload).Message, text("m%d", events))
			if ev.Seq <= last {
				t.Fatalf("seq %d came after %d", ev.Seq, last)
			}
			last = ev.Seq
			events++
		}
	}
	for i := range total {
		same(t, "another member's message", decode[wire.Message](t, other.awaitType(wire.TypeNewMessage).Payload).Message, text("m%d", i))
	}
	st := s.m.Stats()
	same(t, "Received", st.Received.Load(), total)
	eventually(t, "what was written is counted", func() bool { return st.Frames.Load() >= 2*total })
	if frames, writes := st.Frames.Load(), st.Writes.Load(); writes == 0 || writes > frames || st.Bytes.Load() < 100*frames {
		t.Errorf("counted %d frames, %d writes, %d bytes", frames, writes, st.Bytes.Load())
	}
}

// Clients that come and go while others talk leave nothing behind, and the
// others get everything.
func TestComingAndGoing(t *testing.T) {
	s := newStack(t)
	stays, talker := s.user("stays"), s.user("talker")
	var work sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				raw := s.dialFrames()
				switch (n + i) % 3 {
				case 0:
					raw.until(1)
				case 1:
					_, _ = raw.conn.Write(clientFrame(0x88, []byte{3, 232}))
				}
				raw.conn.Close()
			}
		})
	}
	for i := range 60 {
		talker.say("", text("m%d", i))
		stays.heard("general", text("m%d", i))
	}
	close(stop)
	work.Wait()
	eventually(t, "they are gone", func() bool { return s.m.Count() == 2 && s.held() == 1+2 }) // an address and two users
}
