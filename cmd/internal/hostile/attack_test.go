//go:build linux

package hostile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What must hold during every attack.
const (
	memoryLimit = 512 << 20             // of the process
	ackLimit    = 50 * time.Millisecond // p99 of a bystander; shown, as the machine has a part in it
)

// attack is a server, the bystanders in it, and what attackers did. Its methods
// are for the test's goroutine.
type attack struct {
	t         *testing.T
	name      string
	server    *server
	bystander *bystander // nil: nobody is there but the attackers
	tally     *tally
	readers   sync.WaitGroup
	peers     crowd
	limit     int64  // of memory
	full      bool   // no bystander comes, as the server takes nobody any more
	wave      string // what is told besides the tally; "": nothing
	started   time.Time
}

// begin starts a server and lets the bystanders in.
func begin(t *testing.T, how setup) *attack {
	t.Helper()
	a := prepare(t, how)
	a.watch(nil)
	return a
}

// prepare starts a server for what has to be there before bystanders come.
func prepare(t *testing.T, how setup) *attack {
	t.Helper()
	return beginAlone(t, how, serve(t, how))
}

// beginAlone is an attack on a server that runs, without bystanders.
func beginAlone(t *testing.T, how setup, s *server) *attack {
	a := &attack{t: t, name: how.name, server: s, tally: newTally(), full: how.full, limit: memoryLimit, started: time.Now()}
	t.Cleanup(func() {
		a.peers.leave()
		a.readers.Wait()
	})
	return a
}

// crowd is the attackers' connections.
type crowd struct {
	mu    sync.Mutex
	peers map[*peer]bool
}

func (c *crowd) add(p *peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers == nil {
		c.peers = make(map[*peer]bool)
	}
	c.peers[p] = true
}

func (c *crowd) remove(p *peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.peers, p)
}

// leave breaks them all off.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.peers {
		p.leave()
	}
}

// watch lets bystanders in: what went before is forgotten.
func (a *attack) watch(token tokens) {
	a.t.Helper()
	a.server.forgetPeak()
	a.started = time.Now()
	b, err := watch(context.Background(), "ws://"+a.server.addr+"/ws", quietRoom, token, a.full)
	if err != nil {
		a.t.Fatal(err)
	}
	a.bystander = b
	a.t.Cleanup(b.leave)
}

// wrong fails the test, or tells what an older program does not hold.
func (a *attack) wrong(format string, args ...any) {
	a.t.Helper()
	if older() {
		a.t.Logf("DOES NOT HOLD: "+format, args...)
		return
	}
	a.t.Errorf(format, args...)
}

// holds is wrong when ok is not.
func (a *attack) holds(ok bool, format string, args ...any) {
	a.t.Helper()
	if !ok {
		a.wrong(format, args...)
	}
}

// end sends the bystanders home, judges what must hold in every attack, and
// writes the row.
func (a *attack) end() row {
	a.t.Helper()
	took := time.Since(a.started)
	var f felt
	if a.bystander != nil {
		err := within(a.t.Context(), patience, a.bystander.seen) // an attack may be over at once
		a.holds(err == nil, "%v", err)
		a.bystander.leave()
		f = a.bystander.felt()
		a.holds(f.lost == 0, "of the bystanders' messages %d were acknowledged and not heard once", f.lost)
		a.holds(len(f.trouble) == 0, "the bystanders had trouble, %d times: %s", len(f.trouble), strings.Join(f.trouble[:min(5, len(f.trouble))], "; "))
	}
	peak := a.server.peak()
	a.holds(peak < a.limit, "the server held %s at its top; the limit is %s", size(peak), size(a.limit))
	r := row{name: a.name, took: took, got: a.got(), felt: f, watched: a.bystander != nil, peak: peak, after: a.server.resident(), counters: a.counters(), loud: a.server.log.warnings()}
	a.t.Logf("%s", r)
	table.add(r)
	return r
}

// got is what the attackers sent and got.
func (a *attack) got() string {
	t := a.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	part := func(n int64, format string, args ...any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	if a.wave != "" {
		parts = append(parts, a.wave)
	}
	part(t.opened, "%d connections", t.opened)
	part(t.sentBytes, "sent %s, %d events", size(t.sentBytes), t.sent)
	part(t.acks, "%d stored", t.acks)
	part(t.gotBytes, "got %s", size(t.gotBytes))
	for _, code := range slices.Sorted(maps.Keys(t.errors)) {
		parts = append(parts, fmt.Sprintf("%s × %d", code, t.errors[code]))
	}
	for _, code := range slices.Sorted(maps.Keys(t.closed)) {
		parts = append(parts, fmt.Sprintf("closed %d × %d", code, t.closed[code]))
	}
	for _, why := range slices.Sorted(maps.Keys(t.refused)) {
		parts = append(parts, fmt.Sprintf("%s × %d", why, t.refused[why]))
	}
	return strings.Join(parts, ", ")
}

// counters are those of the server that have moved, but for what any traffic
// moves.
func (a *attack) counters() string {
	now := a.server.metrics()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		moved := now[name] - a.server.before[name]
		if moved <= 0 || !strings.Contains(name, "_total") || slices.Contains(dull, name) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %.0f", strings.TrimSuffix(strings.TrimPrefix(name, "roomd_"), "_total"), moved))
	}
	return strings.Join(parts, ", ")
}

// counted is by how much a counter has moved since the server started.
func (a *attack) counted(name string) float64 {
	a.t.Helper()
	return a.server.metrics()[name] - a.server.before[name]
}

// dull are counters that any traffic moves.
var dull = []string{"roomd_room_published_total", "roomd_room_opened_total", "roomd_room_events_total", "roomd_room_deliveries_total",
	"roomd_room_bursts_total", "roomd_session_connected_total", "roomd_session_received_total", "roomd_session_frames_total", "roomd_session_writes_total",
	`roomd_session_closed_total{code="1000",reason="normal"}`}
