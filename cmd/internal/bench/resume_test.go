//go:build linux

package bench

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// returning is roomd that takes the bench's tokens.
func returning(t *testing.T) *program {
	t.Helper()
	p := *built(t, roomdName)
	p.key = rand.Text()
	return &p
}

// Everybody comes back, at once or over a time, with what was missed.
func TestResume(t *testing.T) {
	for _, tc := range []struct {
		spread   time.Duration
		at, most float64 // seconds
	}{{0, 0, 30}, {time.Second, 1, 30}} {
		t.Run(tc.spread.String(), func(t *testing.T) {
			c := quick(Join)
			c.Resume, c.Spread, c.Settle = true, tc.spread, 1500*time.Millisecond
			results, _ := runJSONOn(t, c, returning(t))
			res := results[0]
			positive(t, res, "cpu_us_per_resume", "resume_s", "peak_mb")
			if res["messages"] != 2.0 || res["deliveries"] != 40.0 || res["unrecovered"] != nil {
				t.Errorf("2 messages to 20 members: %v messages, %v deliveries, %v not recovered", res["messages"], res["deliveries"], res["unrecovered"])
			}
			if s := res["resume_s"].(float64); s < tc.at || s > tc.most {
				t.Errorf("it took %v s, want from %v to %v", s, tc.at, tc.most)
			}
		})
	}
}

// Who comes back with a position that the server does not know is counted.
func TestWhatIsNotRecoveredIsCounted(t *testing.T) {
	srv, err := returning(t).start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	l := load{Mode: Join, Members: 5, Resume: true, Settle: time.Millisecond}
	l.defaults()
	s, err := newSwarm(srv, &l, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	quiet := func(string) {}
	if err := s.connectAll(t.Context(), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.say(t.Context(), l.Members); err != nil {
		t.Fatal(err)
	}
	s.cutOff()
	for _, c := range s.conns {
		if c.back.room.Seq != 1 || c.back.room.Epoch == "" || c.back.inbox.Epoch == "" {
			t.Errorf("it stands at %+v after one message", c.back)
		}
	}
	for _, c := range s.conns[:2] {
		c.back.room.Epoch += "x"
		c.back.prepare(s.rooms[c.room])
	}
	if err := s.comeBack(t.Context(), s.conns, 0, quiet); err != nil {
		t.Fatal(err)
	}
	if n := s.unrecovered(); n != 2 {
		t.Errorf("%d are not recovered, want the rooms of 2", n)
	}
	res := Result{load: &l, Unrecovered: 2}
	if err := res.fault(); err == nil || !strings.Contains(err.Error(), "2 rooms were not recovered") {
		t.Errorf("the fault is %v", err)
	}
}

// A room that is refused is asked for again where the client stands.
func TestEnter(t *testing.T) {
	frame, size, err := nextFrame(unmasked(roomdDialect.enter("r", &wire.Position{Epoch: "e", Seq: 7})), readBuffer)
	if err != nil || size == 0 || string(frame.data) != `{"type":"join_room","payload":{"name":"r","since":{"epoch":"e","seq":7}}}` {
		t.Errorf("it sends %s, %v", frame.data, err)
	}
}

// unmasked is a client's frame of less than 126 bytes as a server's.
func unmasked(frame []byte) []byte {
	return append([]byte{frame[0], frame[1] &^ maskBit}, frame[6:]...)
}

func TestSeqOf(t *testing.T) {
	for text, want := range map[string]uint64{
		`{"type":"new_message","room":"r","seq":17,"payload":{"message":"\"seq\":5"}}`: 17,
		`{"type":"room_joined","room":"r","payload":{"epoch":"e","seq":0,"list":[]}}`:  0,
		`{"type":"x"}`: 0, `{"seq":`: 0, `{"seq":99999999999999999999}`: 0,
	} {
		if got := seqOf([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestCampaignIsSpread(t *testing.T) {
	c := campaign{conns: make([]*conn, 5), spread: 8 * time.Second}
	for i := range c.conns {
		if got := c.after(i); got != time.Duration(i)*2*time.Second {
			t.Errorf("number %d begins after %v", i, got)
		}
	}
	if got := (&campaign{conns: make([]*conn, 1), spread: time.Second}).after(0); got != 0 {
		t.Errorf("the only one begins after %v", got)
	}
}
