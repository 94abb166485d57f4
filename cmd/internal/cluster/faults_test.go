//go:build unix

package cluster

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// scene is a running cluster under load.
type scene struct {
	t     *testing.T
	nats  *natsCluster
	nodes []*node
	load  *load
	probe *probe
}

// startScene returns when events flow.
func startScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, nats: startNATS(t)}
	s.nodes = startNodes(t, s.nats, 3)
	s.probe = startProbe(t, s.nats)
	s.load = startLoad(t, s.nodes)
	s.load.flowing(2 * loadRate)
	return s
}

// last waits for d, in which the fault lasts.
func last(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestANodeDies(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	s := startScene(t)
	at := time.Now()
	s.nodes[0].kill()
	d := s.load.clean()
	d.report(t, "a node died", at)
	if d.Reconnects == 0 {
		t.Error("nobody was on the node that died")
	}
}

func TestTheLeaderOfTheLogDies(t *testing.T) {
	faults(t, 0, 0)
	s := startScene(t)
	leader := s.nats.leader()
	at := time.Now()
	leader.kill()
	d := s.load.clean()
	s.probe.compare("the leader of the log died", d, at)
	leader.start()
	s.nats.ready()
}

func TestAllNATSServersRestart(t *testing.T) {
	faults(t, 0, 0)
	s := startScene(t)
	at := time.Now()
	for _, server := range s.nats.servers {
		server.kill()
	}
	for _, server := range s.nats.servers {
		server.start()
	}
	d := s.load.clean()
	s.probe.compare("all NATS servers restarted", d, at)
}

func TestANodeIsCutOff(t *testing.T) {
	fault := faults(t, 8*time.Second, 20*time.Second)
	beside(t)
	for name, cut := range map[string]func(links){"in silence": links.stall, "and knows": links.cut} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			s := startScene(t)
			at := time.Now()
			cut(s.nodes[0].links)
			last(t, fault)
			healed := time.Now()
			s.nodes[0].links.heal()
			d := s.load.clean()
			d.report(t, "a node was cut off, counted from there", at)
			d.report(t, "counted from the heal", healed)
			if fault > 16*time.Second && d.Errors["unavailable"] == 0 {
				t.Errorf("nobody was told that an event could not be stored: %v", d.Errors)
			}
		})
	}
}

func TestANodeIsPaused(t *testing.T) {
	fault := faults(t, 8*time.Second, 20*time.Second)
	beside(t)
	s := startScene(t)
	at := time.Now()
	s.nodes[0].signal(syscall.SIGSTOP)
	last(t, fault)
	woken := time.Now()
	s.nodes[0].signal(syscall.SIGCONT)
	d := s.load.clean()
	d.report(t, "a node was paused, counted from there", at)
	d.report(t, "counted from its wake-up", woken)
}

func TestRollingRestart(t *testing.T) {
	rounds := int(faults(t, 1, 4)) // a number, not a time
	beside(t)
	s := startScene(t)
	for _, x := range slices.Repeat(s.nodes, rounds) {
		x.signal(syscall.SIGTERM)
		if err := x.wait(60 * time.Second); err != nil {
			t.Errorf("%s ended with %v", x.name, err)
		}
		x.start()
		x.ready()
		s.load.flowing(loadRate)
	}
	d := s.load.clean()
	t.Logf("a rolling restart: the longest pause of a room was %.2fs, of a member %.2fs", d.LongestPause.Seconds, d.LongestSilence.Seconds)
	if d.Reconnects < loadPublishers+loadMembers {
		t.Errorf("%d reconnects: not everybody has moved", d.Reconnects)
	}
}
