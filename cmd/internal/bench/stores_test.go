package bench

import (
	"slices"
	"strings"
	"testing"
)

func TestStoresLine(t *testing.T) {
	servers := []*program{{name: "roomd", stores: storesOnDisk}, {name: "echo", stores: storesNothing}, {name: "hub", stores: storesNothing}, {name: "socketio-redis", stores: storesInRedis}}
	const want = "Stored by roomd: every message on disk in JetStream; socketio-redis: every message in a Redis stream with an append-only file; echo, hub: nothing."
	if got := storesLine(servers); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := storesLine(servers[:1]); got != "Stored by roomd: every message on disk in JetStream." {
		t.Errorf("got %s", got)
	}
}

func TestWhatRoomdStores(t *testing.T) {
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{nil, storesOnDisk}, {[]string{"--history=5"}, storesOnDisk}, {[]string{"--store=memory"}, storesInMemory}, {[]string{"--store", "memory"}, storesInMemory},
		{[]string{"--store=memory", "--store=file"}, storesOnDisk},
	} {
		if got := (&Command{ServerFlag: tc.flags}).roomdStores(); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.flags, got, tc.want)
		}
	}
	if got := (&Command{Unlogged: true}).roomdStores(); got != storesSignals {
		t.Errorf("unlogged: %s", got)
	}
	if got := (&Command{URL: "ws://x"}).roomdStores(); got != storesUnknown {
		t.Errorf("a server that runs: %s", got)
	}
}

// The line stands before the results of one mode, and before the table.
func TestTheOutputSaysWhatIsStored(t *testing.T) {
	servers := []*program{{name: "roomd", stores: storesOnDisk}, {name: "hub", stores: storesNothing}}
	line := storesLine(servers)
	for _, mode := range []string{Fanout, Standard} {
		var out strings.Builder
		b := &bench{command: &Command{Mode: mode}, progress: newProgress(&out), out: &out, servers: servers}
		if err := b.run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		at, table := slices.Index(lines, line), slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "| case |") })
		if at != 0 || table <= at || strings.Count(out.String(), line) != 1 {
			t.Errorf("%s: the line is number %d, the table %d:\n%s", mode, at, table, out.String())
		}
	}
	b := &bench{command: &Command{Mode: Fanout, JSON: true}, progress: newProgress(failing{}), out: failing{}, servers: servers[:1]}
	if err := b.run(t.Context(), nil); err != nil { // a line that is no JSON would make failing panic
		t.Fatal(err)
	}
}
