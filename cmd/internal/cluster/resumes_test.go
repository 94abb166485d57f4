//go:build unix

package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// resumeStage is three servers and a node at each, which knows no other
// server: so a test has a node whose own server is in trouble.
type resumeStage struct {
	t     *testing.T
	nats  *natsCluster
	nodes []*node // by server
}

func startResumeStage(t *testing.T) *resumeStage {
	t.Helper()
	s := &resumeStage{t: t, nats: startNATS(t)}
	for i, server := range s.nats.servers {
		x := newNode(t, fmt.Sprint("n", i+1), s.nats.urlAt("node", server.port), "--replicas", "3")
		x.start()
		s.nodes = append(s.nodes, x)
	}
	for _, x := range s.nodes {
		x.ready()
	}
	return s
}

// roles are the indexes of the log's leader and of its followers.
func (s *resumeStage) roles() (leader int, followers [2]int) {
	found := s.nats.leader()
	for i, server := range s.nats.servers {
		if server == found {
			leader = i
		}
	}
	return leader, [2]int{(leader + 1) % 3, (leader + 2) % 3}
}

// course is what a condition puts the trips under.
type course struct {
	trips  int
	pace   time.Duration // between two of them, at least
	atOnce int           // on the way back; twice as many under way; as many prepared, for the time in which a server stands still
	bad    int           // the server in trouble; -1: none
	homes  []int         // where the users resume, in turn
}

// mostFailed is how many trips may come to nothing before the others are
// given up: each of them has waited long.
const mostFailed = 10

// resumes makes the trips, with the help of the nodes and servers that are not
// in trouble, and judges them.
func (s *resumeStage) resumes(t *testing.T, c course) {
	t.Helper()
	leader, _ := s.roles()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var failures atomic.Int64
	failed := func(g *trip, err error) {
		if n := failures.Add(1); n <= mostFailed {
			t.Errorf("%s: %v", g, err)
		} else {
			giveUp()
		}
	}
	ready := s.prepare(ctx, t, c, failed)
	total := &figures{}
	var running sync.WaitGroup
	slots, under := make(chan struct{}, c.atOnce), make(chan struct{}, 2*c.atOnce)
	pace := time.NewTicker(c.pace)
	defer pace.Stop()
	for i := range c.trips {
		g := <-ready
		if g == nil {
			continue // it was said why
		}
		<-pace.C
		under <- struct{}{}
		slots <- struct{}{}
		running.Go(func() {
			defer g.close()
			// Once it is back it makes room: while a server stands still, those
			// that wait are resumes.
			back := sync.OnceFunc(func() { <-slots })
			err := g.run(ctx, 1+i%4, back)
			<-under
			if err != nil {
				back()
				failed(g, err)
				return
			}
			g.settle(t)
			total.add(t, g)
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		t.Errorf("%d of %d trips came to nothing or were given up", failures.Load(), c.trips)
	}
	if after, _ := s.roles(); after != leader {
		t.Logf("the log's leader was %s and is %s", s.nats.servers[leader].name, s.nats.servers[after].name)
	}
	total.report(t)
}

// prepare prepares the trips ahead of their start; nil is one that failed.
func (s *resumeStage) prepare(ctx context.Context, t *testing.T, c course, failed func(*trip, error)) <-chan *trip {
	t.Helper()
	var sound []int // the leader first, if it is one
	leader, followers := s.roles()
	for _, i := range []int{leader, followers[0], followers[1]} {
		if i != c.bad {
			sound = append(sound, i)
		}
	}
	nc := s.nats.connect(s.nats.urlAt("node", s.nats.servers[sound[0]].port), nil)
	ready := make(chan *trip, c.atOnce)
	next := make(chan int, c.trips)
	for i := range c.trips {
		next <- i
	}
	close(next)
	for range max(4, c.atOnce/4) {
		go func() {
			for i := range next {
				g := s.trip(t.Name(), i, sound, c.homes, nc)
				if err := g.prepare(ctx); err != nil {
					failed(g, fmt.Errorf("it is not prepared: %w", err))
					g.close()
					g = nil
				}
				ready <- g
			}
		}()
	}
	return ready
}

// trip is the ith of a run. Its kinds alternate by i, homes and presses too,
// out of step with them.
func (s *resumeStage) trip(run string, i int, sound, homes []int, nc *nats.Conn) *trip {
	name := fmt.Sprintf("%s-%d", strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(run)), i)
	g := &trip{name: name, uid: name, room: name, home: s.nodes[homes[i/8%len(homes)]]}
	for k, at := 0, i/4; g.from.node == nil || g.from.node == g.home; k++ {
		g.from.node = s.nodes[sound[(at+k)%len(sound)]]
	}
	g.empty = i%2 == 1
	switch i % 8 {
	case 0, 1, 2, 3:
		g.quick = true
	case 6, 7:
		g.room = wire.InboxAlias
	}
	if i%4 != 2 && g.room != wire.InboxAlias {
		g.from.nc = nc // the quickest ack
	}
	return g
}

func (g *trip) String() string {
	return fmt.Sprintf("%s, %s at %s from %s, empty %v, quick %v", g.name, g.room, g.home.name, g.from.node.name, g.empty, g.quick)
}

// Users resume at a node that does not have their room open, as soon as the
// last event is acknowledged: the replica that answers may not have it yet. It
// was the log's word that it is stored, so they get it, once and in order, and
// nobody has to refresh.
func TestResumes(t *testing.T) {
	full := faults(t, 0, 1) > 0 // not a time
	size := func(short, long int) int {
		if full {
			return long
		}
		return short
	}
	s := startResumeStage(t)
	t.Run("all is well", func(t *testing.T) {
		s.resumes(t, course{trips: size(100, 1800), pace: 20 * time.Millisecond, atOnce: 16, bad: -1, homes: []int{0, 1, 2}})
	})
	t.Run("a follower lags", func(t *testing.T) {
		_, followers := s.roles()
		slow := followers[0]
		end := stutter(t, &s.nats.servers[slow].process, 40*time.Millisecond, 20*time.Millisecond)
		s.resumes(t, course{trips: size(200, 1200), pace: 20 * time.Millisecond, atOnce: 16, bad: slow, homes: []int{slow, followers[1], slow}})
		end()
	})
	for i, who := range []string{"the leader", "a follower"} {
		t.Run(who+" stands still", func(t *testing.T) {
			leader, followers := s.roles()
			still := []int{leader, followers[0]}[i]
			end := stutter(t, &s.nats.servers[still].process, 1500*time.Millisecond, time.Second)
			s.resumes(t, course{trips: size(90, 1000), pace: 40 * time.Millisecond, atOnce: 16, bad: still, homes: []int{still}})
			end()
		})
	}
}
