package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestServerRefusesARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		done := publish(t.Context(), c, "hi")
		s.refuse(s.expect(wire.TypeSendMessage), wire.RateLimited)
		var refused *wire.Error
		if got := <-done; !errors.As(got.err, &refused) || refused.Code != wire.RateLimited || errors.Is(got.err, ErrOutcomeUnknown) {
			t.Errorf("Publish: %v", got.err)
		}
		finish(t, c, s)
	})
}

// The server refuses the second copy of an event, whose first copy it may have
// stored before the connection was lost.
func TestServerRefusesASecondCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		done := publish(t.Context(), c, "hi")
		s.expect(wire.TypeSendMessage)
		s.conn.Close()
		s = p.open()
		s.refuse(s.expect(wire.TypeSendMessage), wire.RateLimited)
		var refused *wire.Error
		got := <-done
		if !errors.As(got.err, &refused) || refused.Code != wire.RateLimited || !errors.Is(got.err, ErrOutcomeUnknown) {
			t.Errorf("Publish: %v", got.err)
		}
		finish(t, c, s)
	})
}

func TestJoinChangeLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		go func() {
			ev := s.expect(wire.TypeJoinRoom)
			var asked wire.RoomRequest
			if err := json.Unmarshal(ev.Payload, &asked); err != nil || asked.Name != "vip" || asked.Last != 20 || asked.Since == nil || asked.Since.Epoch != "e" {
				t.Errorf("asked for %s: %v", ev.Payload, err)
			}
			s.joined(ev.ID, "vip", 30, true)
			s.ack(ev, 0)

			ev = s.expect(wire.TypeChangeRoom)
			s.send(wire.Event{Type: wire.TypeRoomLeft, Room: "general", Payload: []byte(`{}`)})
			s.joined(ev.ID, "x", 40, true)
			s.ack(ev, 0)

			s.ack(s.expect(wire.TypeLeaveRoom), 0)
			s.refuse(s.expect(wire.TypeLeaveRoom), wire.NotMember)
		}()
		joined, err := c.Join(t.Context(), "vip", JoinOptions{Last: 20, Since: &wire.Position{Epoch: "e", Seq: 3}})
		if err != nil || joined.RoomID != "vip" || joined.Seq != 30 {
			t.Errorf("Join = %+v, %v", joined, err)
		}
		if joined, err = c.ChangeRoom(t.Context(), "x"); err != nil || joined.RoomID != "x" {
			t.Errorf("ChangeRoom = %+v, %v", joined, err)
		}
		for range 2 { // the second time the server says not_member
			if err := c.Leave(t.Context(), "vip"); err != nil {
				t.Errorf("Leave: %v", err)
			}
		}
		s.conn.Close()
		s = p.accept()
		if got, want := s.query.Get("resume"), "@me:e:0,x:e:40"; got != want || s.query.Get("room") != "x" {
			t.Errorf("resume=%q room=%q, want %q and x", got, s.query.Get("room"), want)
		}
		finish(t, c, s)
	})
}

func TestRequestReturnsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		go func() {
			ev := s.expect(wire.TypeGetHistory)
			s.message("general", 11) // what comes between belongs to nobody
			s.send(wire.Event{Type: wire.TypeHistory, ID: ev.ID, Room: "general", Payload: []byte(`{"events":[]}`)})
			s.ack(ev, 0)
			s.ack(s.expect("nothing_to_say"), 0)
		}()
		answer, err := c.Request(t.Context(), wire.Event{Type: wire.TypeGetHistory, Room: "general"})
		if err != nil || answer.Type != wire.TypeHistory || string(answer.Payload) != `{"events":[]}` {
			t.Errorf("Request = %+v, %v", answer, err)
		}
		if answer, err = c.Request(t.Context(), wire.Event{Type: "nothing_to_say"}); err != nil || answer.Type != "" {
			t.Errorf("Request = %+v, %v", answer, err)
		}
		finish(t, c, s)
	})
}

func TestSignalsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		done := make(chan error, 1)
		signal := func() { done <- c.Signal(t.Context(), "general", map[string]bool{"typing": true}) }

		go signal()
		if ev := s.expect(wire.TypeSignal); ev.ID != "" {
			t.Errorf("a signal has id %q", ev.ID)
		}
		if err := <-done; err != nil {
			t.Errorf("Signal: %v", err)
		}

		go signal()
		synctest.Wait() // it hangs in the write: nobody reads
		s.conn.Close()
		if err := <-done; !errors.Is(err, ErrNotConnected) {
			t.Errorf("Signal on a connection that breaks: %v", err)
		}
		go signal()
		if err := <-done; !errors.Is(err, ErrNotConnected) {
			t.Errorf("Signal between connections: %v", err)
		}
		finish(t, c, p.open())
	})
}

func TestBoundsOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		cfg := rec.config(p)
		cfg.Outbox, cfg.MaxSend = 2, 300
		c, s := start(t, p, cfg)
		ctx, cancel := context.WithCancel(t.Context())

		first := make(chan error, 1)
		go func() {
			_, err := c.Send(ctx, wire.Event{Type: "x", ID: "mine"})
			first <- err
		}()
		s.expect("x")
		if _, err := c.Send(ctx, wire.Event{Type: "x", ID: "mine"}); !errors.Is(err, ErrSameID) {
			t.Errorf("the same id: %v", err)
		}
		second := publish(ctx, c, "two")
		s.expect(wire.TypeSendMessage)
		if _, err := c.Publish(ctx, "general", "x", nil); !errors.Is(err, ErrOutboxFull) {
			t.Errorf("a third request: %v", err)
		}
		if _, err := c.Publish(ctx, "general", "x", strings.Repeat("x", 300)); !errors.Is(err, ErrTooBig) {
			t.Errorf("300 bytes: %v", err)
		}
		var refused *wire.Error
		if _, err := c.Publish(ctx, "general", "Not A Type", nil); !errors.As(err, &refused) || refused.Code != wire.BadType {
			t.Errorf("a wrong type: %v", err)
		}
		if _, err := c.Publish(ctx, "general", "x", json.RawMessage(strings.Repeat("[", 80)+strings.Repeat("]", 80))); !errors.As(err, &refused) || refused.Code != wire.BadJSON {
			t.Errorf("a payload that is too deep: %v", err)
		}
		if _, err := c.Publish(ctx, "general", "x", func() {}); err == nil {
			t.Error("a function was encoded")
		}

		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("Send: %v", err)
		}
		if got := <-second; !errors.Is(got.err, context.Canceled) {
			t.Errorf("Publish: %v", got.err)
		}
		s.conn.Close() // nothing is left to be sent again
		s = p.open()
		third := publish(t.Context(), c, "three")
		s.ack(s.expect(wire.TypeSendMessage), 12)
		if got := <-third; got.err != nil {
			t.Error(got.err)
		}
		finish(t, c, s)
	})
}
