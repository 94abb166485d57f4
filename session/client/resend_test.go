package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// expectMessage reads the client's next event, which says text.
func (s *socket) expectMessage(text string) wire.Event {
	s.t.Helper()
	ev := s.expect(wire.TypeSendMessage)
	if !strings.Contains(string(ev.Payload), `"message":"`+text+`"`) {
		s.t.Errorf("the client sent %s, want the message %s", ev.Payload, text)
	}
	return ev
}

// history sends get_history beside the test.
func history(t *testing.T, c *Client) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Request(t.Context(), wire.Event{Type: wire.TypeGetHistory, Room: "general"})
		done <- err
	}()
	return done
}

// answer waits for the outcome, for so long on the fake clock that nothing can
// come any more.
func answer(done <-chan outcome) outcome {
	select {
	case got := <-done:
		return got
	case <-time.After(5 * ResendFor):
		return outcome{err: errors.New("no outcome")}
	}
}

func stored(t *testing.T, done <-chan outcome) {
	t.Helper()
	if got := answer(done); got.err != nil {
		t.Error(got.err)
	}
}

func unknown(t *testing.T, done <-chan outcome) {
	t.Helper()
	if got := answer(done); !errors.Is(got.err, ErrOutcomeUnknown) {
		t.Errorf("Publish: %v, want ErrOutcomeUnknown", got.err)
	}
}

// The server is away for longer than it knows ids. What was written before
// ends in time; what was not, and what can be asked twice, is written when the
// server is back.
func TestServerIsAwayForLongerThanItKnowsIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		one := publish(t.Context(), c, "one")
		s.expectMessage("one")
		first := time.Now()
		asked := history(t, c)
		s.expect(wire.TypeGetHistory)
		p.goAway(true)
		s.conn.Close()
		two := publish(t.Context(), c, "two")

		unknown(t, one)
		if after := time.Since(first); after != ResendFor {
			t.Errorf("the outcome came after %v, want %v", after, ResendFor)
		}
		time.Sleep(2 * ResendFor) // the fake clock: the server stays away
		p.goAway(false)
		s = p.open()
		s.ack(s.expect(wire.TypeGetHistory), 0)
		s.ack(s.expectMessage("two"), 12)
		stored(t, two)
		if err := <-asked; err != nil {
			t.Errorf("get_history: %v", err)
		}
		finish(t, c, s)
	})
}

// Every connection takes the event and does not answer. It is written again
// as long as its id is known, counted from the first time.
func TestAgeCountsFromTheFirstWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		one := publish(t.Context(), c, "one")
		ev := s.expectMessage("one")
		first, copies := time.Now(), 1
		for {
			<-s.watch()
			s = p.open()
			if time.Since(first) >= ResendFor {
				break
			}
			if again := s.expectMessage("one"); again.ID != ev.ID {
				t.Errorf("sent again under %q, was %q", again.ID, ev.ID)
			}
			copies++
		}
		unknown(t, one)
		if copies < 3 {
			t.Errorf("written %d times", copies)
		}
		two := publish(t.Context(), c, "two")
		s.ack(s.expectMessage("two"), 12) // and nothing before it
		stored(t, two)
		finish(t, c, s)
	})
}

// The time runs out on a new connection, before the rooms are joined again.
func TestTimeRunsOutBeforeTheRoomsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		cfg := rec.config(p)
		cfg.MinBackoff, cfg.MaxBackoff = 4*time.Second, 4*time.Second
		c, s := start(t, p, cfg)
		one := publish(t.Context(), c, "one")
		s.expectMessage("one")
		p.goAway(true)
		s.conn.Close()
		time.Sleep(ResendFor - DefaultHandshakeTimeout/2) // the fake clock: the server stays away
		p.goAway(false)
		s = p.accept()
		s.joined("", wire.InboxAlias, 0, true)
		unknown(t, one)
		s.joined("", "general", 10, true)
		two := publish(t.Context(), c, "two")
		s.ack(s.expectMessage("two"), 12)
		stored(t, two)
		finish(t, c, s)
	})
}

// A user's machine slept: no timer ran, and the monotonic clock stood still.
func TestAgeCountsTheTimeThatTheMachineSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		one := publish(t.Context(), c, "one")
		s.expectMessage("one")
		p.goAway(true)
		s.conn.Close()
		synctest.Wait()
		c.mu.Lock()
		written := &c.outbox.queue[0].first
		written.wall = written.wall.Add(-ResendFor)
		c.mu.Unlock()
		p.goAway(false)
		s = p.open()
		unknown(t, one)
		two := publish(t.Context(), c, "two")
		s.ack(s.expectMessage("two"), 12)
		stored(t, two)
		finish(t, c, s)
	})
}

// An event of which the connection took only a part did not reach the server:
// it has not been written, and goes out under whatever uid we get.
func TestHalfAnEventWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		one := publish(t.Context(), c, "one")
		if _, err := s.conn.NetConn().Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		p.uid = "other"
		s.conn.Close()
		s = p.open()
		s.ack(s.expectMessage("one"), 12)
		stored(t, one)
		finish(t, c, s)
	})
}

// Ids are known per uid: under another one the event would be stored again.
func TestAnotherUIDEndsWhatWasWritten(t *testing.T) {
	jwt := func(context.Context) (string, error) { return "jwt", nil }
	tests := []struct {
		name    string
		before  func(*peer, *Config)
		between func(*peer)
		uid     string // on the second connection
	}{
		{"the guest's token is refused", nil, func(p *peer) { p.refuseNext(401, wire.Unauthorized) }, "other"},
		{"a guest without a token", func(p *peer, _ *Config) { p.bare = true }, nil, "other"},
		{"a token of another user", func(_ *peer, cfg *Config) { cfg.Token = jwt }, nil, "other"},
		{"a server that names no uid", func(p *peer, _ *Config) { p.uid = "" }, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				cfg := rec.config(p)
				if tt.before != nil {
					tt.before(p, &cfg)
				}
				c, s := start(t, p, cfg)
				one := publish(t.Context(), c, "one")
				s.expectMessage("one")
				asked := history(t, c)
				s.expect(wire.TypeGetHistory)
				if tt.between != nil {
					tt.between(p)
				}
				s.conn.Close()
				two := publish(t.Context(), c, "two")
				synctest.Wait()

				p.uid = tt.uid
				s = p.accept()
				s.joined("", wire.InboxAlias, 3, false) // another inbox, of which nothing was missed
				s.joined("", "general", 10, true)
				s.ack(s.expect(wire.TypeGetHistory), 0)
				s.ack(s.expectMessage("two"), 12)
				unknown(t, one)
				stored(t, two)
				if err := <-asked; err != nil {
					t.Errorf("get_history: %v", err)
				}
				if gaps := rec.seenGaps(); gaps != nil {
					t.Errorf("gaps %+v", gaps)
				}
				finish(t, c, s)
			})
		})
	}
}

// What ends a request before the server's answer says whether the event may be
// stored.
func TestWhatEndsARequestSaysWhetherItMayBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		ctx, cancel := context.WithCancel(t.Context())
		called := publish(ctx, c, "called off")
		s.expectMessage("called off")
		written := publish(t.Context(), c, "written")
		s.expectMessage("written")
		asked := history(t, c)
		s.expect(wire.TypeGetHistory)
		p.goAway(true)
		s.conn.Close()
		synctest.Wait()
		calledEarly, waiting := publish(ctx, c, "called off, never written"), publish(t.Context(), c, "never written")
		synctest.Wait()
		cancel()
		for _, tt := range []struct {
			name   string
			done   <-chan outcome
			may    bool
			reason error
		}{
			{"called off", called, true, context.Canceled},
			{"called off, never written", calledEarly, false, context.Canceled},
		} {
			if got := <-tt.done; !errors.Is(got.err, tt.reason) || errors.Is(got.err, ErrOutcomeUnknown) != tt.may {
				t.Errorf("%s: %v", tt.name, got.err)
			}
		}
		c.Close()
		if got := <-written; !errors.Is(got.err, ErrClosed) || !errors.Is(got.err, ErrOutcomeUnknown) {
			t.Errorf("written: %v", got.err)
		}
		if got := <-waiting; !errors.Is(got.err, ErrClosed) || errors.Is(got.err, ErrOutcomeUnknown) {
			t.Errorf("never written: %v", got.err)
		}
		if err := <-asked; !errors.Is(err, ErrClosed) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("get_history: %v", err)
		}
	})
}

// An event that is sent again and then refused may have been stored the first
// time; not so where a table's rules refuse it: they answer each copy alike.
func TestRefusedWhenSentAgain(t *testing.T) {
	for code, may := range map[wire.Code]bool{wire.Forbidden: true, wire.Refused: false} {
		t.Run(string(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				done := publish(t.Context(), c, "again")
				s.expectMessage("again")
				s.conn.Close()
				s = p.open()
				s.refuse(s.expectMessage("again"), code)
				got := answer(done)
				var said *wire.Error
				if !errors.As(got.err, &said) || said.Code != code || errors.Is(got.err, ErrOutcomeUnknown) != may {
					t.Errorf("%v", got.err)
				}
				finish(t, c, s)
			})
		})
	}
}
