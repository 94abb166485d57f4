package presence_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// A case is what is heard of node b, in order: a heartbeat of a boot, what it
// says of a room, and the same of version 0, by the time of its start.
func TestPeers(t *testing.T) {
	beat := func(boot presence.Boot) presence.Observation {
		return presence.Observation{Node: "b", Boot: boot, Heartbeat: true}
	}
	old := func(started int64) presence.Observation {
		return presence.Observation{Node: "b", Started: started, Heartbeat: true}
	}
	both := func(boot presence.Boot, started int64) presence.Observation {
		return presence.Observation{Node: "b", Boot: boot, Started: started, Heartbeat: true}
	}
	says := func(boot presence.Boot) presence.Observation { return presence.Observation{Node: "b", Boot: boot} }
	const known, came, restarted, late = presence.Known, presence.NewNode, presence.Restarted, presence.Stale
	type in struct {
		sign presence.Observation
		want presence.PeerEvent
	}
	for _, c := range []struct {
		name string
		in   []in
		over presence.Process // of the last that is heard
	}{
		{name: "beats", in: []in{{beat(7), came}, {beat(7), known}, {says(7), known}}},
		{name: "speaks first", in: []in{{says(7), came}, {beat(7), known}}},
		{name: "another start of the same boot is of no meaning", in: []in{{both(7, 1), came}, {both(7, 2), known}}},
		{"restarts", []in{{beat(7), came}, {beat(3), restarted}}, presence.Process{Node: "b", Boot: 7, MaxIncarnation: math.MaxUint64}},
		{name: "is late with what it said", in: []in{{beat(7), came}, {beat(3), restarted}, {says(7), late}, {says(3), known}}},
		{name: "speaks before it is announced", in: []in{{beat(7), came}, {says(3), late}, {beat(3), restarted}, {says(3), known}}},
		{name: "is late with a heartbeat", in: []in{{beat(7), came}, {beat(3), restarted}, {beat(7), late}, {says(7), late}}},
		{name: "two processes under one name", in: []in{{beat(7), came}, {beat(3), restarted}, {beat(7), late}, {beat(3), known}, {beat(7), late}, {beat(3), known}}},
		{"the one thought over goes on", []in{{beat(7), came}, {beat(3), restarted}, {beat(7), late}, {beat(7), restarted}},
			presence.Process{Node: "b", Boot: 3, MaxIncarnation: math.MaxUint64}},
		{name: "what it says of rooms does not bring it back", in: []in{{beat(7), came}, {beat(3), restarted}, {says(7), late}, {says(7), late}, {says(7), late}}},
		{name: "version 0", in: []in{{old(100), came}, {old(100), known}, {says(0), known}}},
		{name: "version 0 speaks first", in: []in{{says(0), came}, {old(100), known}, {old(100), known}}},
		{"version 0 restarts", []in{{old(100), came}, {old(200), restarted}}, presence.Process{Node: "b", MaxIncarnation: 199}},
		{"version 0 is upgraded", []in{{old(100), came}, {both(7, 200), restarted}}, presence.Process{Node: "b", MaxIncarnation: math.MaxUint64}},
		{"version 0 is upgraded before it beat", []in{{says(0), came}, {both(7, 200), restarted}}, presence.Process{Node: "b", MaxIncarnation: math.MaxUint64}},
		{name: "version 0 is late", in: []in{{old(100), came}, {beat(7), restarted}, {says(0), late}, {old(100), late}}},
		{"version 0 again", []in{{beat(7), came}, {says(0), late}, {old(300), restarted}}, presence.Process{Node: "b", Boot: 7, MaxIncarnation: math.MaxUint64}},
		{name: "a heartbeat that says nothing", in: []in{{beat(7), came}, {old(0), late}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p presence.Peers
			var over presence.Process
			for i, in := range c.in {
				what, part := p.Observe(in.sign, at(time.Duration(i)))
				if what != in.want {
					t.Fatalf("sign %d: heard %d, want %d", i, what, in.want)
				}
				over = part
			}
			if over != c.over {
				t.Errorf("over is %+v, want %+v", over, c.over)
			}
			if over.Node != "" && p.Lives(over) {
				t.Errorf("%+v is over and lives", over)
			}
		})
	}
}

// The processes that a name had are forgotten one by one.
func TestPeersForget(t *testing.T) {
	var p presence.Peers
	for boot := presence.Boot(1); boot <= 1000; boot++ {
		p.Observe(presence.Observation{Node: "b", Boot: boot, Heartbeat: true}, at(0))
	}
	for boot, want := range map[presence.Boot]presence.PeerEvent{1000: presence.Known, 999: presence.Stale, 996: presence.Stale} {
		if what, _ := p.Observe(presence.Observation{Node: "b", Boot: boot, Heartbeat: true}, at(0)); what != want {
			t.Errorf("boot %d is %d, want %d", boot, what, want)
		}
	}
	if what, _ := p.Observe(presence.Observation{Node: "b", Boot: 5, Heartbeat: true}, at(0)); what != presence.Restarted {
		t.Errorf("boot 5 is %d, want it forgotten", what)
	}
}

// What is late is no sign of life: the living one of that name must say so
// itself.
func TestSilentPeers(t *testing.T) {
	var p presence.Peers
	p.Observe(presence.Observation{Node: "b", Boot: 1, Heartbeat: true}, at(0))
	p.Observe(presence.Observation{Node: "c", Boot: 1, Heartbeat: true}, at(0))
	p.Observe(presence.Observation{Node: "b", Boot: 2, Heartbeat: true}, at(1))
	p.Observe(presence.Observation{Node: "c", Boot: 1}, at(5))
	p.Observe(presence.Observation{Node: "b", Boot: 1, Heartbeat: true}, at(5))
	if names := p.Names(); p.Len() != 2 || !slices.Equal(names, []string{"b", "c"}) {
		t.Errorf("%d live: %v", p.Len(), names)
	}
	if gone := p.Silent(at(2)); !slices.Equal(gone, []presence.Process{{Node: "b", Boot: 2, MaxIncarnation: math.MaxUint64}}) || p.Len() != 1 {
		t.Errorf("silent are %v, %d live", gone, p.Len())
	}
	if part := (presence.Process{Node: "b", Boot: 2, MaxIncarnation: math.MaxUint64}); p.Lives(part) {
		t.Error("a node that was given up lives")
	}
}

func TestBootJSON(t *testing.T) {
	for _, b := range []presence.Boot{1, 0xdeadbeef, math.MaxUint64} {
		data, err := json.Marshal(presence.NodeVersion{Node: "b", Boot: b})
		var got presence.NodeVersion
		if err != nil || json.Unmarshal(data, &got) != nil || got.Boot != b {
			t.Errorf("%d became %s, then %d (%v)", b, data, got.Boot, err)
		}
	}
	if data, err := json.Marshal(presence.NodeVersion{Node: "b"}); err != nil || string(data) != `{"node":"b","incarnation":0,"version":0}` {
		t.Errorf("version 0 is %s, %v", data, err)
	}
	var b presence.Boot
	if err := b.UnmarshalText([]byte("no boot")); err == nil {
		t.Error("nonsense is a boot")
	}
}
