package client

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestPublishIsAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		if s.bearer != "Bearer guest-token-1" || s.query.Get("room") != "general" || s.query.Has("resume") {
			t.Errorf("connected with %q and %v", s.bearer, s.query)
		}
		done := publish(t.Context(), c, "hi")
		ev := s.expect(wire.TypeSendMessage)
		s.ack(ev, 11) // before the event itself: it must not move the position
		s.message("general", 11)
		got := <-done
		if got.err != nil || got.ack.Seq != 11 || got.ack.Room != "general" || got.ack.ID != ev.ID || got.ack.Duplicate {
			t.Errorf("Publish = %+v", got)
		}
		synctest.Wait()
		if want := []string{"ack general 11", "new_message general 11"}; !slices.Equal(rec.logged(), want) {
			t.Errorf("events %q, want %q", rec.logged(), want)
		}
		finish(t, c, s)
		if !errors.Is(c.Err(), ErrClosed) || !slices.Equal(rec.states(), []State{Connecting, Connected, Ended}) {
			t.Errorf("ended with %v after %v", c.Err(), rec.states())
		}
	})
}

func TestUnansweredRequestsGoOutAgainInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		first := publish(t.Context(), c, "one")
		one := s.expect(wire.TypeSendMessage)
		second := publish(t.Context(), c, "two")
		two := s.expect(wire.TypeSendMessage)
		s.message("general", 15)
		synctest.Wait()
		s.conn.Close() // no close frame: 1006

		s = p.accept()
		if got, want := s.query.Get("resume"), "@me:e:0,general:e:15"; got != want {
			t.Errorf("resume=%q, want %q", got, want)
		}
		if s.bearer != "Bearer guest-token-1" {
			t.Errorf("the guest came back with %q", s.bearer)
		}
		s.joined("", wire.InboxAlias, 0, true)
		synctest.Wait()
		// Nothing goes out before the room is joined again; net.Pipe has no
		// buffer, so a write would be waiting for this read.
		s.joined("", "general", 15, true)
		s.message("general", 15) // a repeat
		s.message("general", 17)
		for _, want := range []wire.Event{one, two} {
			got := s.expect(wire.TypeSendMessage)
			if got.ID != want.ID || string(got.Payload) != string(want.Payload) {
				t.Errorf("sent again: %+v, want %+v", got, want)
			}
			s.ack(got, 20)
		}
		if got := <-first; got.err != nil {
			t.Error(got.err)
		}
		if got := <-second; got.err != nil {
			t.Error(got.err)
		}
		finish(t, c, s)
		want := []string{"new_message general 15", "new_message general 17", "ack general 20", "ack general 20"}
		if !slices.Equal(rec.logged(), want) {
			t.Errorf("events %q, want %q", rec.logged(), want)
		}
		if gaps := rec.seenGaps(); gaps != nil {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

func TestRequestsWaitForTheRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		done := publish(t.Context(), c, "one")
		s.expect(wire.TypeSendMessage)
		s.conn.Close()

		s = p.accept()
		got := make(chan time.Time, 1)
		go func() { s.expect(wire.TypeSendMessage); got <- time.Now() }()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("a request went out before the rooms were joined")
		}
		welcomed := time.Now()
		if after := (<-got).Sub(welcomed); after != DefaultHandshakeTimeout {
			t.Errorf("without room_joined the request went out after %v, want %v", after, DefaultHandshakeTimeout)
		}
		finish(t, c, s)
		if got := <-done; !errors.Is(got.err, ErrClosed) {
			t.Errorf("Publish: %v", got.err)
		}
	})
}

func TestGapIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		s.message("general", 12)
		synctest.Wait()
		s.conn.Close()

		s = p.accept()
		s.joined("", wire.InboxAlias, 0, true)
		s.joined("", "general", 900, false)
		s.message("general", 901)
		synctest.Wait()
		want := Gap{Room: "general", From: wire.Position{Epoch: "e", Seq: 12}, To: wire.Position{Epoch: "e", Seq: 900}}
		if gaps := rec.seenGaps(); !slices.Equal(gaps, []Gap{want}) {
			t.Errorf("gaps %+v, want %+v", gaps, want)
		}
		if pos, ok := c.Position("general"); !ok || pos.Seq != 901 {
			t.Errorf("position %+v, %v", pos, ok)
		}
		finish(t, c, s)
	})
}

func TestRoomThatCannotBeJoinedAgain(t *testing.T) {
	tests := []struct {
		room      string
		code      wire.Code
		reconnect bool
	}{{wire.InboxAlias, wire.Busy, true}, {"general", wire.Forbidden, false}}
	for _, tt := range tests {
		t.Run(tt.room+" "+string(tt.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				s.conn.Close()
				s = p.accept()
				end := s.watch()
				s.send(wire.Event{Type: wire.TypeError, Room: tt.room, Payload: wire.MarshalPayload(wire.ErrorInfo{Code: tt.code, Message: "no"})})
				synctest.Wait()
				if _, joined := c.Position(tt.room); joined != tt.reconnect {
					t.Errorf("still wants the room: %v", joined)
				}
				if tt.reconnect {
					<-end
					s = p.open()
					end = s.watch()
				}
				c.Close()
				<-end
			})
		})
	}
}

// A refused room is tried from the position, after pauses that grow; what was
// written to it fails when it is too late to send it again, and other rooms'
// requests pass it by.
func TestRefusedRoomIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		written := publish(t.Context(), c, "written")
		s.expect(wire.TypeSendMessage)
		s.conn.Close()
		s = p.accept()
		s.joined("", wire.InboxAlias, 0, true)
		s.send(wire.Event{Type: wire.TypeError, Room: "general", Payload: wire.MarshalPayload(wire.ErrorInfo{Code: wire.Unavailable, Message: "no"})})
		never := publish(t.Context(), c, "never written")
		synctest.Wait()
		heartbeat := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), wire.Event{Type: wire.TypeHeartbeat})
			heartbeat <- err
		}()
		pause := backoff{min: DefaultMinBackoff, max: DefaultMaxBackoff}
		var again wire.Event
		for last, beaten := time.Now(), false; ; {
			again = s.receive()
			if again.Type == wire.TypeHeartbeat && !beaten {
				beaten = true
				s.ack(again, 0)
				continue
			}
			var asked wire.RoomRequest
			if again.Type != wire.TypeJoinRoom || json.Unmarshal(again.Payload, &asked) != nil || asked.Name != "general" ||
				asked.Since == nil || *asked.Since != (wire.Position{Epoch: "e", Seq: 10}) {
				t.Fatalf("the client sent %+v", again)
			}
			if after := time.Since(last); after > pause.ceiling() {
				t.Errorf("try %d after %v, want at most %v", pause.failures, after, pause.ceiling())
			}
			pause.failures++
			last = time.Now()
			if len(written) > 0 {
				break
			}
			s.refuse(again, wire.Unavailable)
		}
		if err := <-heartbeat; err != nil {
			t.Error(err)
		}
		if got := <-written; !errors.Is(got.err, ErrOutcomeUnknown) {
			t.Errorf("Publish: %v", got.err)
		}
		// Fewer would mean that the pauses are too long; their sum is random.
		if pause.failures < 6 || pause.failures > 100 {
			t.Errorf("%d tries in %v", pause.failures, ResendFor)
		}
		s.joined(again.ID, "general", 10, true)
		s.ack(s.expect(wire.TypeSendMessage), 11)
		if got := <-never; got.err != nil {
			t.Error(got.err)
		}
		if gaps := rec.seenGaps(); gaps != nil {
			t.Errorf("gaps %+v", gaps)
		}
		finish(t, c, s)
	})
}

func TestReconnectEvent(t *testing.T) {
	for name, serverCloses := range map[string]bool{"client leaves": false, "server closes earlier": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				told := time.Now()
				s.send(wire.Event{Type: wire.TypeReconnect, Payload: wire.MarshalPayload(wire.Reconnect{AfterMS: 7000})})
				synctest.Wait()
				if serverCloses {
					s.closeWith(wire.CloseDraining)
				} else {
					end := s.watch()
					if err := <-end; websocket.IsCloseError(err, 1000, 1001) {
						t.Errorf("the client said that it leaves for good: %v", err)
					}
				}
				s = p.open()
				if after := time.Since(told); after != 7*time.Second {
					t.Errorf("reconnected after %v, want 7s", after)
				}
				finish(t, c, s)
			})
		})
	}
}
