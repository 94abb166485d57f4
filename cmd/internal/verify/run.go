package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// dialsAtOnce bounds the connects at the start: all at once could be more
	// than a node takes per second.
	dialsAtOnce = 32
	// settleCheck is how often it is checked whether everything has come, and
	// settleQuiet how long it must stay so: what comes twice comes late.
	settleCheck = 50 * time.Millisecond
	settleQuiet = 500 * time.Millisecond
)

// verification is one run: the clients, and what they received.
type verification struct {
	// fixed after start
	cfg   *Config
	name  string // of the run
	rooms []*watchedRoom
	peers []*peer

	sent, acked, duplicates, pending atomic.Int64
	delivered, foreign               atomic.Int64
	refreshes, reconnects            atomic.Int64

	mu      sync.Mutex
	answers map[wire.Code]int64 // errors that the server answered, each time
	last    error               // that an event was given up for
}

// watchedRoom is a room and its ledgers.
type watchedRoom struct {
	name string

	mu     sync.Mutex
	epochs map[string]*ledger
	latest string
	quiet  quiet
}

// runName is new in every run.
func runName() string { return "verify-" + strings.ToLower(rand.Text()[:8]) }

func newVerification(cfg *Config) *verification {
	v := &verification{cfg: cfg, name: runName(), answers: make(map[wire.Code]int64)}
	for i := range cfg.Rooms {
		v.rooms = append(v.rooms, &watchedRoom{name: fmt.Sprintf("%s-%d", v.name, i), epochs: make(map[string]*ledger)})
	}
	for i := range cfg.Publishers {
		v.peers = append(v.peers, newPeer(v, fmt.Sprintf("%s-p%d", v.name, i), i, v.rooms[i%cfg.Rooms]))
	}
	for i := range cfg.Members {
		v.peers = append(v.peers, newPeer(v, fmt.Sprintf("%s-m%d", v.name, i), cfg.Publishers+i, v.rooms[i%cfg.Rooms]))
	}
	return v
}

// run waits until the nodes are ready, connects everybody, sends, waits for
// what is still on its way, and judges. The end of ctx ends the sending, not
// the checking.
func (v *verification) run(ctx context.Context, out *reporter) (verdict, error) {
	start := time.Now()
	ticks := time.NewTicker(v.cfg.Progress)
	defer ticks.Stop()
	tell := func(waiting string) error {
		d := v.judge("waiting", start)
		d.Waiting = waiting
		out.progress(d)
		return out.err
	}
	if err := awaitReady(ctx, v.cfg, ticks.C, tell); err != nil {
		return verdict{}, err
	}
	start = time.Now()
	out.progress(v.judge("joining", start))
	if err := v.connect(ctx); err != nil {
		return verdict{}, err
	}
	sending, stopSending := context.WithTimeout(ctx, v.cfg.Duration)
	defer stopSending()
	trying, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()

	start = time.Now()
	v.eachRoom(func(r *watchedRoom) { r.quiet.begin(start) })
	v.eachPeer(func(p *peer) { p.quiet.begin(start) })
	sent := make(chan struct{})
	var loops, events sync.WaitGroup
	for i, p := range v.peers[:v.cfg.Publishers] {
		loops.Go(func() { p.publish(sending, trying, i, &events) })
	}
	go func() { loops.Wait(); close(sent) }()
	for phase := "sending"; phase == "sending" && out.err == nil; {
		out.progress(v.judge(phase, start))
		select {
		case <-ticks.C:
		case <-sent:
			phase = ""
		}
	}
	stopSending()
	<-sent
	took := time.Since(start)
	v.eachRoom(func(r *watchedRoom) { r.quiet.stop(time.Now()) })
	v.eachPeer(func(p *peer) { p.quiet.stop(time.Now()) })

	v.settle(start, ticks.C, out)
	giveUp()
	events.Wait()
	final := v.judge("verdict", start)
	final.SendSeconds = took.Seconds()
	return final, nil
}

// connect returns when every client is in its room.
func (v *verification) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	slots := make(chan struct{}, dialsAtOnce)
	for _, p := range v.peers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := p.dial(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("connect the clients: %w", err)
	}
	return nil
}

// settle waits until every event is acknowledged and every client has received
// all, or --settle is over.
func (v *verification) settle(start time.Time, ticks <-chan time.Time, out *reporter) {
	over := time.After(v.cfg.Settle)
	check := time.NewTicker(settleCheck)
	defer check.Stop()
	var since time.Time
	out.progress(v.judge("settling", start))
	for out.err == nil {
		select {
		case <-over:
			return
		case <-ticks:
			out.progress(v.judge("settling", start))
		case now := <-check.C:
			switch {
			case !v.settled():
				since = time.Time{}
			case since.IsZero():
				since = now
			case now.Sub(since) >= settleQuiet:
				return
			}
		}
	}
}

func (v *verification) settled() bool {
	if v.pending.Load() > 0 {
		return false
	}
	for _, p := range v.peers {
		if !p.complete() {
			return false
		}
	}
	return true
}

func (v *verification) close() {
	var all sync.WaitGroup
	for _, p := range v.peers {
		if p.client != nil {
			all.Go(p.client.Close)
		}
	}
	all.Wait()
}

func (v *verification) eachRoom(do func(*watchedRoom)) {
	for _, r := range v.rooms {
		r.mu.Lock()
		do(r)
		r.mu.Unlock()
	}
}

func (v *verification) eachPeer(do func(*peer)) {
	for _, p := range v.peers {
		p.room.mu.Lock()
		do(p)
		p.room.mu.Unlock()
	}
}

// answered counts an error that the server answered.
func (v *verification) answered(code wire.Code) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers[code]++
}

func (v *verification) gaveUp(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = err
}

// ledger is the room's in epoch. mu is held.
func (r *watchedRoom) ledger(epoch string) *ledger {
	l := r.epochs[epoch]
	if l == nil {
		l = &ledger{}
		r.epochs[epoch] = l
		r.latest = epoch
	}
	return l
}
