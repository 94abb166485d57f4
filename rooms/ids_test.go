package rooms_test

import (
	"fmt"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestIDsOverARestart: NATS knows an id for three minutes; one that restarts only
// while it has the event.
func TestIDsOverARestart(t *testing.T) {
	const history = 100
	for _, tc := range []struct {
		others    int
		restart   bool
		duplicate bool
	}{
		{0, false, true},
		{0, true, true},
		{history - 1, true, true}, // the event is the oldest that there is
		{history + 50, false, true},
		{history + 50, true, false},
	} {
		t.Run(fmt.Sprintf("%d others, restart %t", tc.others, tc.restart), func(t *testing.T) {
			cfg := embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()}
			srv, err := embedded.Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = srv.Close() }() // again where it was restarted: nothing
			limited := func(c *rooms.Config) { c.History = history }
			eng := startEngine(t, srv, limited)
			first, err := publishOne(within(t), eng, "x", "the id", note(0))
			if err != nil || first.Duplicate {
				t.Fatalf("%+v, %v", first, err)
			}
			newest := first.Seq
			for _, seq := range publish(t, eng, "x", 1, 1+tc.others) {
				newest = max(newest, seq)
			}
			if tc.restart {
				closeEngine(t, eng)
				if err := srv.Close(); err != nil {
					t.Fatal(err)
				}
				again, err := embedded.Start(cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := again.Close(); err != nil {
						t.Error(err)
					}
				}()
				eng = startEngine(t, again, limited)
				defer closeEngine(t, eng) // before the server
			}
			got, err := publishOne(within(t), eng, "x", "the id", note(0))
			want := rooms.PubAck{Seq: first.Seq, Duplicate: true}
			if !tc.duplicate {
				want = rooms.PubAck{Seq: newest + 1}
			}
			if err != nil || got != want {
				t.Errorf("sent again it is %+v, %v, want %+v", got, err, want)
			}
		})
	}
}
