package client

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// said is a room_joined of the room general, and what the client makes of it.
type said struct {
	name      string
	at        wire.Position
	recovered bool
	gap       bool
	position  uint64 // after the next event, whose seq is one above at
}

// Every connection of these tests was at 12 before the server says it.
var saidToMember = []said{
	{"further on", wire.Position{Epoch: "e", Seq: 900}, false, true, 901},
	{"further back", wire.Position{Epoch: "e", Seq: 3}, false, true, 4},
	{"at the same place", wire.Position{Epoch: "e", Seq: 12}, false, true, 13},
	{"another log", wire.Position{Epoch: "f", Seq: 3}, false, true, 4},
	{"recovered", wire.Position{Epoch: "e", Seq: 12}, true, false, 13},
}

func (tt said) event(id string) wire.Event {
	return wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: "general", Payload: wire.MarshalPayload(
		wire.RoomJoined{RoomID: "general", Epoch: tt.at.Epoch, Seq: tt.at.Seq, Recovered: tt.recovered})}
}

// check sends the event after the room_joined, and looks at what the client
// has made of both.
func (tt said) check(t *testing.T, c *Client, s *socket, rec *recorder) {
	t.Helper()
	next := tt.at.Seq + 1
	s.message("general", next)
	s.message("general", next) // and again: a repeat under the new position
	synctest.Wait()
	want := []string{"new_message general 12", fmt.Sprintf("new_message general %d", next)}
	if got := rec.logged(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	var gaps []Gap
	if tt.gap {
		gaps = []Gap{{Room: "general", From: wire.Position{Epoch: "e", Seq: 12}, To: tt.at}}
	}
	if got := rec.seenGaps(); !slices.Equal(got, gaps) {
		t.Errorf("gaps %+v, want %+v", got, gaps)
	}
	if pos, _ := c.Position("general"); pos.Seq != tt.position || pos.Epoch != tt.at.Epoch {
		t.Errorf("position %+v, want %d in %s", pos, tt.position, tt.at.Epoch)
	}
}

func TestRoomJoinedAfterAResume(t *testing.T) {
	for _, tt := range saidToMember {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				s.message("general", 12)
				synctest.Wait()
				s.conn.Close()
				s = p.accept()
				s.joined("", wire.InboxAlias, 0, true)
				s.send(tt.event(""))
				tt.check(t, c, s, rec)
				finish(t, c, s)
			})
		})
	}
}

func TestRoomJoinedThatNobodyAskedFor(t *testing.T) {
	for _, tt := range saidToMember {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				s.message("general", 12)
				s.send(tt.event(""))
				tt.check(t, c, s, rec)
				finish(t, c, s)
			})
		})
	}
}

func TestEveryResetIsAGapOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		s.joined("", "general", 5, false)
		s.joined("", "general", 5, false)
		synctest.Wait()
		at := func(seq uint64) wire.Position { return wire.Position{Epoch: "e", Seq: seq} }
		want := []Gap{{"general", at(10), at(5)}, {"general", at(5), at(5)}}
		if got := rec.seenGaps(); !slices.Equal(got, want) {
			t.Errorf("gaps %+v, want %+v", got, want)
		}
		finish(t, c, s)
	})
}

// A join of a room that we are in already asks for nothing, so the server
// calls it not recovered although nothing is missing.
func TestJoinOfARoomThatWeAreIn(t *testing.T) {
	tests := []said{
		{"further on", wire.Position{Epoch: "e", Seq: 900}, false, false, 901},
		{"at the same place", wire.Position{Epoch: "e", Seq: 12}, false, false, 13},
		{"further back", wire.Position{Epoch: "e", Seq: 3}, false, true, 4},
		{"another log", wire.Position{Epoch: "f", Seq: 900}, false, true, 901},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				s.message("general", 12)
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					ev := s.expect(wire.TypeJoinRoom)
					s.send(tt.event(ev.ID))
					s.ack(ev, 0)
				}()
				if _, err := c.Join(t.Context(), "general", JoinOptions{}); err != nil {
					t.Error(err)
				}
				<-answered
				tt.check(t, c, s, rec)
				finish(t, c, s)
			})
		})
	}
}

// The server has not let us into the room again when the program asks it to:
// that join asks for nothing, but what came meanwhile is missing.
func TestJoinBeforeTheServerHasResumedTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		s.message("general", 12)
		synctest.Wait()
		s.conn.Close()
		s = p.accept()
		s.joined("", wire.InboxAlias, 0, true)
		answered := make(chan struct{})
		tt := said{at: wire.Position{Epoch: "e", Seq: 900}, gap: true, position: 901}
		go func() {
			defer close(answered)
			ev := s.expect(wire.TypeJoinRoom) // after DefaultHandshakeTimeout
			s.send(tt.event(ev.ID))
			s.ack(ev, 0)
		}()
		if _, err := c.Join(t.Context(), "general", JoinOptions{}); err != nil {
			t.Error(err)
		}
		<-answered
		tt.check(t, c, s, rec)
		finish(t, c, s)
	})
}

func TestFirstJoinOfARoom(t *testing.T) {
	since := wire.Position{Epoch: "e", Seq: 7}
	tests := []struct {
		name      string
		opts      JoinOptions
		recovered bool
		gap       bool
	}{
		{"without a position", JoinOptions{}, false, false},
		{"with the last events", JoinOptions{Last: 3}, false, false},
		{"with an empty position", JoinOptions{Since: &wire.Position{}}, false, false},
		{"from a position", JoinOptions{Since: &since}, true, false},
		{"from a position that is lost", JoinOptions{Since: &since}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rec := newPeer(t), &recorder{}
				c, s := start(t, p, rec.config(p))
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					ev := s.expect(wire.TypeJoinRoom)
					s.joined(ev.ID, "vip", 30, tt.recovered)
					s.ack(ev, 0)
				}()
				if _, err := c.Join(t.Context(), "vip", tt.opts); err != nil {
					t.Error(err)
				}
				<-answered
				var want []Gap
				if tt.gap {
					want = []Gap{{Room: "vip", From: since, To: wire.Position{Epoch: "e", Seq: 30}}}
				}
				if got := rec.seenGaps(); !slices.Equal(got, want) {
					t.Errorf("gaps %+v, want %+v", got, want)
				}
				finish(t, c, s)
			})
		})
	}
}

// The connection is lost in the middle of a replay: what was handed over is
// not asked for again, and what was not is.
func TestPositionMovesWithEveryReplayedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		cfg, positions := rec.config(p), []uint64{}
		var c *Client
		cfg.OnEvent = func(ev wire.Event) {
			if ev.Room == "general" && c != nil {
				at, _ := c.Position("general")
				positions = append(positions, at.Seq)
			}
		}
		dialed, s := start(t, p, cfg)
		synctest.Wait()
		c = dialed
		s.conn.Close()

		s = p.accept()
		s.joined("", wire.InboxAlias, 0, true)
		s.joined("", "general", 10, true) // and then what is replayed
		s.message("general", 14)
		s.message("general", 15)
		synctest.Wait()
		s.conn.Close()
		s = p.accept()
		if got, want := s.query.Get("resume"), "@me:e:0,general:e:15"; got != want {
			t.Errorf("resume=%q, want %q", got, want)
		}
		if want := []uint64{10, 14, 15}; !slices.Equal(positions, want) {
			t.Errorf("positions %v, want %v", positions, want)
		}
		finish(t, c, s)
	})
}

// One forged copy with a huge seq must not make us deaf for what comes.
func TestAHugeSeqIsForgottenWhenTheServerSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		c, s := start(t, p, rec.config(p))
		s.message("general", 1<<60)
		s.joined("", "general", 12, false)
		s.message("general", 13)
		synctest.Wait()
		s.conn.Close()
		s = p.accept()
		if got, want := s.query.Get("resume"), "@me:e:0,general:e:13"; got != want {
			t.Errorf("resume=%q, want %q", got, want)
		}
		want := []string{fmt.Sprint("new_message general ", uint64(1<<60)), "new_message general 13"}
		if got := rec.logged(); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		finish(t, c, s)
	})
}
