//go:build unix

package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// probe publishes into a room of its own and listens to its log, straight
// through NATS and many times a second: it tells how long NATS itself is away.
type probe struct {
	t *testing.T

	mu    sync.Mutex
	times []time.Time // of each copy
}

const probeInterval = 20 * time.Millisecond

func startProbe(t *testing.T, c *natsCluster) *probe {
	t.Helper()
	p := &probe{t: t}
	nc := c.connect(c.url("node"), nil)
	if _, err := nc.Subscribe("room.probe.log", func(*nats.Msg) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.times = append(p.times, time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(probeInterval)
		defer tick.Stop()
		for n := 0; ; n++ {
			// Lost ones do not matter, there is always a next.
			_ = nc.Publish("room.probe.event", fmt.Appendf(nil, `{"type":"probe","payload":%d}`, n))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { stop(); work.Wait() })
	return p
}

// back is when NATS worked again: the end of its longest pause after at.
func (p *probe) back(at time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	back, before := at, at
	for _, x := range p.times {
		if x.Before(at) {
			continue
		}
		if x.Sub(before) > longest {
			longest, back = x.Sub(before), x
		}
		before = x
	}
	return back
}

// compare reports, and fails when the rooms took 1 s longer than NATS.
func (p *probe) compare(fault string, d verdict, at time.Time) {
	p.t.Helper()
	rooms, own := d.report(p.t, fault, at), p.back(at).Sub(at)
	p.t.Logf("%s: NATS itself needed %.2fs, the engine added %.2fs", fault, own.Seconds(), (rooms - own).Seconds())
	if rooms-own >= time.Second {
		p.t.Errorf("the engine added %v to the time that NATS needed; the limit is 1s", (rooms - own).Round(time.Millisecond))
	}
}
