package bench

import (
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	for _, tc := range []struct {
		in   load
		want string
	}{
		{load{Mode: Fanout}, "1000 members, 1 publisher ahead by 64, 128 bytes"},
		{load{Mode: Fanout, Rate: 50, Members: 5}, "5 members, 1 publisher at 50/s, 128 bytes"},
		{load{Mode: Rooms}, "100 rooms × 10 members, 100 publishers ahead by 16, 128 bytes"},
		{load{Mode: Rooms, Rooms: 3, Members: 2, Open: 64}, "3 rooms × 2 members, 6 publishers ahead by 16, 128 bytes, 64 more rooms open"},
		{load{Mode: Rooms, Shape: CJK}, "100 rooms × 10 members, 100 publishers ahead by 16, 128 bytes of cjk"},
		{load{Mode: Fanout, Shape: Long}, "1000 members, 1 publisher ahead by 64, 4096 bytes"},
		{load{Mode: Fanout, Shape: Full}, "1000 members, 1 publisher ahead by 46, 16256 bytes"},
		{load{Mode: Latency}, "10 members, 1 publisher at 100/s, 128 bytes"},
		{load{Mode: Latency, Ahead: 2}, "10 members, 1 publisher ahead by 2, 128 bytes"},
		{load{Mode: Table}, "8 members, 8 publishers ahead by 16, 128 bytes"},
		{load{Mode: Table, Members: 1000, Publishers: 100}, "1000 members, 100 publishers ahead by 1, 128 bytes"},
		{load{Mode: Table, Rooms: 3, Members: 2, Play: Bets}, "3 rooms × 2 members, 6 publishers ahead by 16, 128 bytes, at tables bets"},
		{load{Mode: Idle}, "10000 members"},
		{load{Mode: Join, Settle: time.Hour}, "1000 members"},
		{load{Mode: Join, Resume: true}, "1000 members, who resume at once"},
		{load{Mode: Join, Resume: true, Spread: time.Minute}, "1000 members, who resume within 1m0s"},
	} {
		l := tc.in
		l.defaults()
		if err := l.check(); err != nil {
			t.Errorf("%+v: %v", tc.in, err)
		}
		if l.String() != tc.want {
			t.Errorf("%+v is %q, want %q", tc.in, l.String(), tc.want)
		}
		if l.Settle == 0 || tc.in.Settle > 0 && l.Settle != tc.in.Settle {
			t.Errorf("%+v settles for %v", tc.in, l.Settle)
		}
	}
}

func TestSenders(t *testing.T) {
	for _, tc := range []struct {
		rooms, publishers int
		want              []int
	}{{1, 1, []int{1}}, {3, 2, []int{1, 1, 0}}, {3, 3, []int{1, 1, 1}}, {3, 7, []int{3, 2, 2}}, {2, 0, []int{0, 0}}} {
		l := load{Rooms: tc.rooms, Publishers: tc.publishers}
		for room, want := range tc.want {
			if got := l.sendersIn(room); got != want {
				t.Errorf("%d publishers in %d rooms: %d in room %d, want %d", tc.publishers, tc.rooms, got, room, want)
			}
		}
	}
}

func TestMistakesNameTheirFlag(t *testing.T) {
	for _, tc := range []struct {
		c    Command
		want string
	}{
		{Command{Mode: "fan"}, "mode"},
		{Command{}, "mode"},
		{Command{Mode: Fanout, Members: -1}, "--members"},
		{Command{Mode: Rooms, Rooms: -1}, "--rooms"},
		{Command{Mode: Fanout, Rooms: 2}, "--rooms"},
		{Command{Mode: Fanout, Members: 2, Publishers: 3}, "--publishers"},
		{Command{Mode: Fanout, Ahead: 200}, "--ahead"},
		{Command{Mode: Rooms, Rooms: 1, Members: 10, Publishers: 10, Ahead: 20}, "--ahead"},
		{Command{Mode: Fanout, Ahead: 1, Rate: 1}, "--ahead"},
		{Command{Mode: Fanout, Rate: -1}, "--rate"},
		{Command{Mode: Fanout, Size: 10}, "--size"},
		{Command{Mode: Fanout, Size: 16 << 10}, "--size"},
		{Command{Mode: Fanout, Shape: "round"}, "--shape"},
		{Command{Mode: Fanout, Shape: Long, Size: 100}, "--size"},
		{Command{Mode: Fanout, Shape: Full, Ahead: 64}, "--ahead"},
		{Command{Mode: Standard, Shape: CJK}, "standard"},
		{Command{Mode: Fanout, Open: 10}, "--open"},
		{Command{Mode: Idle, Duration: -1}, "--duration"},
		{Command{Mode: Fanout, Repeat: -1}, "--repeat"},
		{Command{Mode: Fanout, Readers: -1}, "--readers"},
		{Command{Mode: Fanout, Against: []string{"hub", "centrifugo"}}, "--against centrifugo"},
		{Command{Mode: Rooms, Open: 10, Against: []string{"hub"}}, "--open"},
		{Command{Mode: Fanout, PID: 7}, "--pid"},
		{Command{Mode: Fanout, URL: "ws://x", PID: maxPID}, "--pid"},
		{Command{Mode: Fanout, URL: "ws://x", Server: "roomd"}, "--url"},
		{Command{Mode: Fanout, Play: Bets}, "--play"},
		{Command{Mode: Table, Play: "poker"}, "--play"},
		{Command{Mode: Table, Play: Bets, Members: 600, Publishers: 501}, "--publishers"},
		{Command{Mode: Table, Sender: Owner}, "--sender"},
		{Command{Mode: Table, Sender: "me", Nodes: 2, NATS: 1}, "--sender"},
		{Command{Mode: Fanout, Sender: Owner, Nodes: 2, NATS: 1}, "--sender"},
		{Command{Mode: Fanout, NoIDs: true}, "--no-ids"},
		{Command{Mode: Table, Against: []string{"hub"}}, "--against"},
		{Command{Mode: Fanout, Resume: true}, "--resume"},
		{Command{Mode: Join, Resume: true, Members: 1}, "--members"},
		{Command{Mode: Join, Resume: true, Spread: -1}, "--spread"},
		{Command{Mode: Join, Spread: time.Second}, "--spread"},
		{Command{Mode: Join, Resume: true, Against: []string{"hub"}}, "--resume"},
		{Command{Mode: Join, Resume: true, URL: "ws://x"}, "--resume"},
		{Command{Mode: Fanout, Nodes: 2}, "--nats"},
		{Command{Mode: Fanout, Nodes: -1}, "--nodes"},
		{Command{Mode: Fanout, NATS: -1}, "--nats"},
		{Command{Mode: Fanout, NATS: 3, URL: "ws://x"}, "--url"},
		{Command{Mode: Standard, Members: 5}, "standard"},
	} {
		err := tc.c.Run(t.Context(), failing{}, failing{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.c, err)
		}
	}
}

// failing takes nothing: a mistake is found before anything is shown.
type failing struct{}

func (failing) Write([]byte) (int, error) { panic("something was shown") }

func TestStandardCasesAreValid(t *testing.T) {
	c := Command{Mode: Standard}
	cases, err := c.cases()
	if err != nil || len(cases) < 6 || c.rounds() != 3 {
		t.Errorf("%d cases in %d rounds: %v", len(cases), c.rounds(), err)
	}
	for _, tc := range cases {
		if len(tc.figures) == 0 {
			t.Errorf("%s has no figures", tc.name)
		}
	}
}
