//go:build unix

package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The players of every fault: 200 at 20 tables, with rounds of about ten seconds.
const (
	betTables = 20
	betBots   = 200
	betRate   = 100 // commands per second, of all of them
	betSettle = 60 * time.Second
)

// betVerdict is what roomctl verify --tables --json prints.
type betVerdict struct {
	Phase          string
	Sent           int
	Acknowledged   int
	Bets           int
	Refused        int
	Unacknowledged int
	Ended          int
	Settled        int
	Refreshes      int
	Reconnects     int
	Away           int
	Faults         map[string]int
	Findings       []string
	Errors         map[string]int
	GaveUp         string `json:"gave_up"`
	Outcome        string
	Words          string
	LostPause      pause `json:"lost_pause"`
	Waits          []pause
}

// tables is a running cluster at whose tables bots play.
type tables struct {
	t     *testing.T
	count int // of tables
	nats  *natsCluster
	nodes []*node
	watch *croupier
	play  process
	lines chan betVerdict
	hits  []hit
}

// hit is one fault.
type hit struct {
	what  string
	owner string // the node that decided when it came
	at    time.Time
}

// startTables returns when bets are taken and rounds end.
func startTables(t *testing.T) *tables {
	t.Helper()
	s := newTables(t, betTables, "--bet-time", "3s", "--deal-time", "200ms")
	s.bet(betBots)
	s.flowing()
	return s
}

// newTables is the cluster before anybody plays.
func newTables(t *testing.T, count int, flags ...string) *tables {
	t.Helper()
	s := &tables{t: t, count: count, nats: startNATS(t), lines: make(chan betVerdict, 1<<14)}
	s.nodes = startNodes(t, s.nats, 3, flags...)
	s.watch = startCroupier(t, s.nats)
	return s
}

// bet has bots play.
func (s *tables) bet(bots int) {
	s.t.Helper()
	s.play = startVerify(s.t, s.nodes, s.lines, "--tables", "--rooms", fmt.Sprint(s.count), "--publishers", fmt.Sprint(bots), "--members", "0",
		"--rate", fmt.Sprint(betRate), "--settle", betSettle.String())
}

// flowing waits until commands are acknowledged and as many rounds have ended as
// there are tables.
func (s *tables) flowing() {
	s.t.Helper()
	var first *betVerdict
	over := time.After(2 * time.Minute)
	for {
		select {
		case d, ok := <-s.lines:
			switch {
			case !ok || d.Phase == "verdict":
				s.t.Fatalf("the play is over: %+v", d)
			case d.Phase != "sending":
			case first == nil:
				first = &d
			case d.Acknowledged >= first.Acknowledged+2*betRate && d.Ended >= first.Ended+s.count:
				return
			}
		case <-s.play.exited:
			s.t.Fatalf("the play is over: %v", s.play.err)
		case <-over:
			s.t.Fatalf("commands are not acknowledged, or rounds do not end: %+v", first)
		}
	}
}

// befalls has a fault come in a phase of a round, and end, and waits until the
// tables go on.
func (s *tables) befalls(f tableFault, phase string) {
	s.t.Helper()
	owner := s.node(s.watch.moment(s.t, phase))
	s.hits = append(s.hits, hit{f.name + ", " + phase, owner.name, time.Now()})
	if heal := f.do(s, owner); heal != nil {
		heal()
	}
	s.flowing()
}

func (s *tables) node(name string) *node {
	s.t.Helper()
	i := slices.IndexFunc(s.nodes, func(x *node) bool { return x.name == name })
	if i < 0 {
		s.t.Fatalf("a step names %q, which is no node", name)
	}
	return s.nodes[i]
}

// clean ends the play and waits for the verdict: nothing that was acknowledged is
// lost or doubled, every round is settled once, everybody's money is what the log
// says, and every command got an answer.
func (s *tables) clean() {
	s.t.Helper()
	s.play.signal(syscall.SIGINT)
	var last betVerdict
	over := time.After(5 * time.Minute)
	for last.Phase != "verdict" {
		select {
		case d, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("verify ended without a verdict: %v", s.play.wait(time.Minute))
			}
			last = d
		case <-over:
			s.t.Fatalf("no verdict after 5 minutes: %+v", last)
		}
	}
	if err := s.play.wait(time.Minute); err != nil {
		s.t.Errorf("roomctl verify: %v", err)
	}
	if last.Outcome != "held" || last.Unacknowledged+last.Away+last.Refreshes > 0 {
		s.t.Errorf("%s: %s; unacknowledged %d (%s), away %d, refreshes %d\n%s", last.Outcome, last.Words, last.Unacknowledged, last.GaveUp, last.Away, last.Refreshes,
			strings.Join(last.Findings, "\n"))
	}
	s.t.Logf("%d commands acknowledged, %d of them bets, %d refused, %d rounds settled; reconnects %d, error answers %v",
		last.Acknowledged, last.Bets, last.Refused, last.Settled, last.Reconnects, last.Errors)
	for i, h := range s.hits {
		until := time.Now()
		if i+1 < len(s.hits) {
			until = s.hits[i+1].at
		}
		w := longestWaits(last.Waits, h, until)
		s.t.Logf("%s at %s: the longest wait for an answer was %.2fs of who stayed connected to another node, %.2fs to that one, %.2fs of who lost his connection",
			h.what, h.owner, w.others.Seconds(), w.there.Seconds(), w.lost.Seconds())
	}
}

// waits are the longest after a fault: of those connected to other nodes than the
// one that it befell, to that one, and of those whose connection was lost.
type waits struct{ others, there, lost time.Duration }

// longestWaits are of the commands that were answered between a fault and another
// time, counted from the fault.
func longestWaits(list []pause, h hit, until time.Time) (w waits) {
	for _, p := range list {
		if p.To.Before(h.at) || p.To.After(until) {
			continue
		}
		d := p.To.Sub(p.From)
		if p.From.Before(h.at) {
			d = p.To.Sub(h.at)
		}
		switch {
		case strings.HasSuffix(p.Where, "was lost"):
			w.lost = max(w.lost, d)
		case strings.Contains(p.Where, " on "+h.owner+","):
			w.there = max(w.there, d)
		default:
			w.others = max(w.others, d)
		}
	}
	return w
}

// croupier hears all tables, and says what is done there and by which node.
type croupier struct {
	mu   sync.Mutex
	want string // type of event
	seen chan string
}

func startCroupier(t *testing.T, c *natsCluster) *croupier {
	t.Helper()
	w := &croupier{seen: make(chan string, 1)}
	_, err := c.connect(c.url("operator"), nil).Subscribe("room.*.log", func(msg *nats.Msg) {
		var step struct {
			Node   string
			Events []struct{ Type string }
		}
		if msg.Header.Get("Nats-Stream") != "STEPS" || json.Unmarshal(msg.Data, &step) != nil {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, ev := range step.Events {
			if w.want != "" && ev.Type == w.want {
				w.want = ""
				w.seen <- step.Node
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// moment waits until something happens at a table, and returns the node that
// decided it.
func (w *croupier) moment(t *testing.T, typ string) (node string) {
	t.Helper()
	w.mu.Lock()
	w.want = typ
	w.mu.Unlock()
	select {
	case node := <-w.seen:
		return node
	case <-time.After(time.Minute):
		t.Fatalf("no %s at any table", typ)
		return ""
	}
}

// phases are those of a round, by the events with which they begin or go on.
var phases = []string{"bet_placed", "card_dealt", "betting_closed", "round_settled", "round_opened"}

// tableFault befalls the tables at a moment when owner has just decided something;
// what it returns, if anything, ends it.
type tableFault struct {
	name  string
	short bool // it is part of a short run
	do    func(s *tables, owner *node) (heal func())
}

// stays is how long what is paused or cut off stays so: longer than the others
// take to go on without it.
const stays = 5 * time.Second

// notHeard is longer than a node takes to believe that another one is gone.
const notHeard = 20 * time.Second

// heartbeatOf matches what a node tells the others of itself.
func heartbeatOf(x *node) func(frame) bool {
	return func(f frame) bool {
		return f.subject == "roomd.node" && bytes.Contains(f.bytes, []byte(`"node":"`+x.name+`"`))
	}
}

var tableFaults = []tableFault{
	{"the node dies", true, func(_ *tables, owner *node) func() {
		owner.kill()
		return func() { owner.start(); owner.ready() }
	}},
	{"the node is paused", true, func(s *tables, owner *node) func() {
		owner.signal(syscall.SIGSTOP)
		last(s.t, stays)
		return func() { owner.signal(syscall.SIGCONT) }
	}},
	{"the node is cut off in silence", true, func(s *tables, owner *node) func() {
		owner.links.stall()
		last(s.t, stays)
		return owner.links.heal
	}},
	{"the node is cut off and knows", false, func(s *tables, owner *node) func() {
		owner.links.cut()
		last(s.t, stays)
		return owner.links.heal
	}},
	{"the leader of the log dies", true, func(s *tables, _ *node) func() {
		leader := s.nats.leaderOf("STEPS")
		leader.kill()
		return func() { leader.start(); s.nats.ready() }
	}},
	{"the leader of the log loses its disk", false, func(s *tables, _ *node) func() {
		leader := s.nats.leaderOf("STEPS")
		leader.wipe()
		// With nothing on its disk it would vote for a server that lacks what was
		// acknowledged: it comes back when the others have agreed.
		s.nats.leaderOf("STEPS")
		return func() { leader.start(); s.nats.ready() }
	}},
	{"the leader of the snapshots dies as one is written", false, func(s *tables, _ *node) func() {
		leader := s.nats.leaderOf("SNAPSHOTS")
		s.nats.hears("room.*.snapshot", "")
		leader.kill()
		return func() { leader.start(); s.nats.ready() }
	}},
	{"the leader of the log steps down", false, func(s *tables, _ *node) func() {
		s.nats.stepDown("STEPS")
		return nil
	}},
	{"all NATS servers restart", false, func(s *tables, _ *node) func() {
		for _, server := range s.nats.servers {
			server.kill()
		}
		for _, server := range s.nats.servers {
			server.start()
		}
		return s.nats.ready
	}},
	{"the node dies while a follower of the log lags", false, func(s *tables, owner *node) func() {
		leader := s.nats.leaderOf("STEPS")
		i := slices.IndexFunc(s.nats.servers, func(x *natsServer) bool { return x != leader })
		end := stutter(s.t, &s.nats.servers[i].process, 40*time.Millisecond, 20*time.Millisecond)
		owner.kill()
		s.watch.moment(s.t, "bet_placed") // others have taken over by then, or soon
		owner.start()
		owner.ready()
		return end
	}},
	{"two nodes do not hear each other", false, func(s *tables, owner *node) func() {
		other := s.nodes[0]
		if other == owner {
			other = s.nodes[1]
		}
		owner.links.dropIf(heartbeatOf(other))
		other.links.dropIf(heartbeatOf(owner))
		last(s.t, notHeard)
		return func() { owner.links.dropIf(nil); other.links.dropIf(nil) }
	}},
	{"the node drains", false, func(s *tables, owner *node) func() {
		owner.signal(syscall.SIGTERM)
		if err := owner.wait(60 * time.Second); err != nil {
			s.t.Errorf("%s ended with %v", owner.name, err)
		}
		return func() { owner.start(); owner.ready() }
	}},
	{"everything loses power", false, func(s *tables, _ *node) func() {
		for _, x := range s.nodes {
			x.kill()
		}
		for _, server := range s.nats.servers {
			server.kill()
		}
		return func() {
			for _, server := range s.nats.servers {
				server.start()
			}
			s.nats.ready()
			for _, x := range s.nodes {
				x.start()
			}
			for _, x := range s.nodes {
				x.ready()
			}
		}
	}},
	{"all nodes die", false, func(s *tables, _ *node) func() {
		for _, x := range s.nodes {
			x.kill()
		}
		return func() {
			for _, x := range s.nodes {
				x.start()
			}
			for _, x := range s.nodes {
				x.ready()
			}
		}
	}},
}

// TestTablesUnderFaults: each fault of the suite, in each phase of a round. A short
// run has some of them, each in another phase, at the same tables.
func TestTablesUnderFaults(t *testing.T) {
	beside(t)
	if full := faults(t, 0, 1) > 0; !full { // a choice, not a time
		s := startTables(t)
		i := 0
		for _, f := range tableFaults {
			if f.short {
				s.befalls(f, phases[i])
				i++
			}
		}
		s.clean()
		return
	}
	for _, f := range tableFaults {
		t.Run(f.name, func(t *testing.T) {
			s := startTables(t)
			for _, phase := range phases {
				s.befalls(f, phase)
			}
			s.clean()
		})
	}
}
