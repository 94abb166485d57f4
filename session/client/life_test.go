package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestCloseCodes(t *testing.T) {
	tests := []struct {
		code      wire.CloseCode
		reconnect bool
	}{
		{wire.CloseNormal, false}, {wire.CloseGoing, true}, {wire.CloseTooBig, false}, {wire.CloseRestart, true},
		{wire.CloseDraining, true}, {wire.CloseTooSlow, true}, {4499, true}, {wire.CloseTokenExpired, false}, {wire.CloseReplaced, false},
	}
	for _, tt := range tests {
		t.Run(tt.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				pending := publish(t.Context(), c, "hi")
				s.expect(wire.TypeSendMessage)
				s.closeWith(tt.code)
				if tt.reconnect {
					finish(t, c, p.open())
					if got := <-pending; !errors.Is(got.err, ErrClosed) {
						t.Errorf("Publish: %v", got.err)
					}
					return
				}
				<-c.Done()
				var closed *ClosedError
				if !errors.As(c.Err(), &closed) || closed.Code != tt.code || closed.Reason != tt.code.String() {
					t.Errorf("ended with %v", c.Err())
				}
				for _, err := range []error{(<-pending).err, c.Leave(t.Context(), "general")} {
					if !errors.As(err, &closed) {
						t.Errorf("a request failed with %v, want the close code", err)
					}
				}
				if last := rec.last(); last.State != Ended || !errors.Is(last.Err, c.Err()) {
					t.Errorf("last status %+v", last)
				}
			})
		})
	}
}

func TestBackoffBetweenFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		const refusals = 9
		for range refusals {
			p.refuseNext(503, wire.Busy)
		}
		s.conn.Close()
		s = p.open()
		rec.mu.Lock()
		var n int
		ceiling := backoff{min: DefaultMinBackoff, max: DefaultMaxBackoff}
		for _, status := range rec.statuses {
			if status.State != Reconnecting {
				continue
			}
			ceiling.failures = n
			if n++; status.Delay > ceiling.ceiling() || status.Err == nil {
				t.Errorf("attempt %d: %+v, want a wait of at most %v", n, status, ceiling.ceiling())
			}
		}
		rec.mu.Unlock()
		if n != refusals+1 {
			t.Errorf("%d attempts, want %d", n, refusals+1)
		}
		finish(t, c, s)
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		p.refuseNext(403, wire.Forbidden)
		_, err := Dial(t.Context(), rec.config(p))
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Status != 403 || refused.Code != wire.Forbidden || refused.Message != "no" {
			t.Errorf("Dial: %v", err)
		}
		if !slices.Equal(rec.states(), []State{Connecting, Ended}) {
			t.Errorf("states %v", rec.states())
		}

		cfg := rec.config(p)
		cfg.Token = func(context.Context) (string, error) { return "jwt", nil }
		c, s := start(t, p, cfg)
		if s.bearer != "Bearer jwt" {
			t.Errorf("connected with %q", s.bearer)
		}
		p.refuseNext(401, wire.Unauthorized)
		s.conn.Close()
		<-c.Done()
		if !errors.As(c.Err(), &refused) || refused.Status != 401 {
			t.Errorf("a token that is refused ended the client with %v", c.Err())
		}
	})
}

func TestGuestLogsInAnewWhenItsTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		p.refuseNext(401, wire.Unauthorized)
		s.conn.Close()
		s = p.open()
		if s.bearer != "Bearer guest-token-2" {
			t.Errorf("came back with %q", s.bearer)
		}
		if got, want := s.query.Get("resume"), "general:e:10"; got != want {
			t.Errorf("resume=%q, want %q without the old guest's inbox", got, want)
		}
		finish(t, c, s)
	})
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		end := s.watch()
		begin := time.Now()
		const pings = 3
		for range pings {
			time.Sleep(40 * time.Second) // the fake clock: the peer's ping interval
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		<-end
		if lived, want := time.Since(begin), pings*40*time.Second+50*time.Second; lived != want {
			t.Errorf("gave up after %v, want %v", lived, want)
		}
		s = p.open()
		rec.mu.Lock()
		reason := rec.statuses[2].Err.Error()
		rec.mu.Unlock()
		if !strings.Contains(reason, "silent for 50s") {
			t.Errorf("reason: %s", reason)
		}
		finish(t, c, s)
	})
}

func TestUnansweredRequestEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		done := publish(t.Context(), c, "hi")
		ev := s.expect(wire.TypeSendMessage)
		begin := time.Now()
		<-s.watch()
		if waited := time.Since(begin); waited != DefaultAckTimeout {
			t.Errorf("gave up after %v, want %v", waited, DefaultAckTimeout)
		}
		s = p.open()
		if again := s.expect(wire.TypeSendMessage); again.ID != ev.ID {
			t.Errorf("sent again under %q, was %q", again.ID, ev.ID)
		}
		s.send(wire.Event{Type: wire.TypeAck, ID: ev.ID, Room: "general", Seq: 11, Payload: []byte(`{"duplicate":true}`)})
		if got := <-done; got.err != nil || !got.ack.Duplicate {
			t.Errorf("Publish = %+v", got)
		}
		finish(t, c, s)
	})
}

// The context of Dial is that of dialling: what comes after it ends with Close.
func TestContextBoundsDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		ctx, cancel := context.WithCancelCause(t.Context())
		opened := make(chan *socket)
		go func() { opened <- p.open() }()
		c, err := Dial(ctx, rec.config(p))
		if err != nil {
			t.Fatal(err)
		}
		s := <-opened
		cancel(errors.New("enough"))
		synctest.Wait()
		if c.Err() != nil {
			t.Errorf("the client has ended: %v", c.Err())
		}
		s.conn.Close()
		s = p.open() // and it comes back
		finish(t, c, s)
		if !errors.Is(c.Err(), ErrClosed) {
			t.Errorf("Err = %v", c.Err())
		}
		c.Close() // again is fine
	})
}

func TestContextEndsDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		failed := make(chan error)
		go func() {
			_, err := Dial(ctx, rec.config(p))
			failed <- err
		}()
		s := <-p.sockets // which says no welcome
		end := s.watch()
		begin := time.Now()
		cancel(why)
		if err := <-failed; !errors.Is(err, why) {
			t.Errorf("Dial: %v", err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("Dial took %v after its context had ended", waited)
		}
		<-end
		s.conn.Close()
		if !slices.Equal(rec.states(), []State{Connecting, Ended}) {
			t.Errorf("states %v", rec.states())
		}
	})
}

func TestCloseEndsAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		cfg := rec.config(p)
		cfg.MinBackoff, cfg.MaxBackoff = time.Hour, time.Hour
		c, s := start(t, p, cfg)
		s.conn.Close()
		synctest.Wait()
		if last := rec.last(); last.State != Reconnecting {
			t.Fatalf("status %+v", last)
		}
		begin := time.Now()
		c.Close()
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("Close took %v in the middle of a backoff", waited)
		}
	})
}

func TestServerThatDoesNotSayWelcome(t *testing.T) {
	tests := map[string]struct {
		say  func(*socket)
		want string
	}{
		"nothing":     {func(*socket) {}, "silent for 10s"},
		"other event": {func(s *socket) { s.message("general", 1) }, "instead of welcome"},
		"no event":    {func(s *socket) { s.send(wire.Event{Type: "NO"}) }, "no event"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				go func() { s := <-p.sockets; tt.say(s); <-s.watch(); s.conn.Close() }()
				if _, err := Dial(t.Context(), rec.config(p)); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Dial: %v, want %q", err, tt.want)
				}
			})
		})
	}
}

func TestRequestsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		const n = DefaultBurst + 2*DefaultRate
		var all []<-chan outcome
		for range n {
			all = append(all, publish(t.Context(), c, "hi"))
		}
		begin := time.Now()
		for range n {
			s.ack(s.expect(wire.TypeSendMessage), 11)
		}
		if took := time.Since(begin).Round(10 * time.Millisecond); took != 2*time.Second {
			t.Errorf("%d events took %v, want 2s", n, took)
		}
		for _, done := range all {
			if got := <-done; got.err != nil {
				t.Error(got.err)
			}
		}
		finish(t, c, s)
	})
}
