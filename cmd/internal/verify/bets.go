package verify

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// betting is a run with --tables: the tables, and the bots that play there.
type betting struct {
	// fixed after start
	cfg    *Config
	name   string // of the run
	seed   maphash.Seed
	tables []*betTable
	bots   []*bot // the first --publishers bet

	sent, acked, refused, unknown, bets, again atomic.Int64
	delivered, refreshes, reconnects           atomic.Int64

	mu      sync.Mutex
	answers map[wire.Code]int64 // errors that the server answered, each time
	last    error               // that a command was given up for
	delays  delays
}

// betTable is one table, as its players have seen it.
type betTable struct {
	name string

	mu      sync.Mutex
	results []result     // what the commands were answered
	staked  map[int]bool // rounds in which a bet was acknowledged
	ended   map[int]bool // rounds that were settled or voided
	newest  uint64       // step that anybody has seen or was told of
	round   int          // that was opened last
	moved   time.Time
	faults  []book.Fault // found on the way

	// at the end: up to where everybody waits to see, and since when
	upto  uint64
	since time.Time
}

// result is what became of a command.
type result struct {
	fact string // "": it must not be in the log
	seq  uint64 // 0: it got no answer
}

func newBetting(cfg *Config) *betting {
	r := &betting{
		cfg: cfg, name: runName(), seed: maphash.MakeSeed(), answers: make(map[wire.Code]int64), delays: delays{byNode: make(map[string]pause)},
	}
	for i := range cfg.Rooms {
		r.tables = append(r.tables, &betTable{name: fmt.Sprintf("%s%s-%d", cfg.Prefix, r.name, i), staked: make(map[int]bool), ended: make(map[int]bool)})
	}
	for i := range cfg.Publishers {
		r.bots = append(r.bots, newBot(r, fmt.Sprintf("%s-p%d", r.name, i), i, r.tables[i%cfg.Rooms]))
	}
	for i := range cfg.Members {
		r.bots = append(r.bots, newBot(r, fmt.Sprintf("%s-m%d", r.name, i), cfg.Publishers+i, r.tables[i%cfg.Rooms]))
	}
	return r
}

// run has the bots play, waits until what they staked is settled, looks at the
// log, and judges. The end of ctx ends the playing, not the checking.
func (r *betting) run(ctx context.Context, out *reporter) (betVerdict, error) {
	start := time.Now()
	ticks := time.NewTicker(r.cfg.Progress)
	defer ticks.Stop()
	tell := func(waiting string) error {
		d := r.sum("waiting", start)
		d.Waiting = waiting
		out.bets(d)
		return out.err
	}
	if err := awaitReady(ctx, r.cfg, ticks.C, tell); err != nil {
		return betVerdict{}, err
	}
	logs, err := newLogReader(r.cfg)
	if err != nil {
		return betVerdict{}, err
	}
	defer logs.close()
	if _, err := logs.page(ctx, r.cfg.URL[0], r.tables[0].name, 0); err != nil {
		return betVerdict{}, err
	}
	start = time.Now()
	out.bets(r.sum("joining", start))
	if err := r.connect(ctx); err != nil {
		return betVerdict{}, err
	}
	start = time.Now()
	r.play(ctx, start, ticks.C, out)
	d := r.sum("settling", start)
	out.bets(d)
	ending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := r.finish(ending, start, ticks.C, out); err != nil {
		return betVerdict{}, err
	}
	final := r.sum("verdict", start)
	final.SendSeconds = d.Seconds
	return final, r.judge(ending, logs, &final)
}

// play returns when --duration is over and every command has its answer, or
// --settle is over as well.
func (r *betting) play(ctx context.Context, start time.Time, ticks <-chan time.Time, out *reporter) {
	sending, stopSending := context.WithTimeout(ctx, r.cfg.Duration)
	defer stopSending()
	trying, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var all sync.WaitGroup
	for i, b := range r.bots[:r.cfg.Publishers] {
		all.Go(func() { b.play(sending, trying, i) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	context.AfterFunc(sending, func() { time.AfterFunc(r.cfg.Settle, giveUp) })
	for {
		select {
		case <-ticks:
			out.bets(r.sum("sending", start))
			if out.err != nil {
				stopSending()
				giveUp()
			}
		case <-done:
			return
		}
	}
}

// finish waits until every round with a bet is over and everybody has seen all
// that anybody has, and then has everybody shown the state once more. A table at
// which nothing at all happens for --settle is waited for no longer.
func (r *betting) finish(ctx context.Context, start time.Time, ticks <-chan time.Time, out *reporter) error {
	check := time.NewTicker(settleCheck)
	defer check.Stop()
	for began := time.Now(); out.err == nil; {
		select {
		case <-ticks:
			out.bets(r.sum("settling", start))
		case now := <-check.C:
			if r.quiet(now, began) {
				return r.lookAgain(ctx)
			}
		}
	}
	return out.err
}

// quiet reports whether there is nothing to wait for at any table.
func (r *betting) quiet(now, began time.Time) bool {
	done := true
	for _, t := range r.tables {
		t.mu.Lock()
		done = r.over(t, now, began) && done
		t.mu.Unlock()
	}
	return done
}

// over reports whether the last round with a bet has ended at a table, where the
// next may be going on, and everybody has seen it. t.mu is held.
func (r *betting) over(t *betTable, now, began time.Time) bool {
	if t.upto == 0 {
		for round := range t.staked {
			if !t.ended[round] && round >= t.round && now.Sub(t.moved) < r.cfg.Settle && now.Sub(began) < 4*r.cfg.Settle {
				return false
			}
		}
		t.upto, t.since = max(t.newest, 1), now
	}
	if now.Sub(t.since) >= r.cfg.Settle {
		return true
	}
	for _, b := range r.bots {
		if b.table == t && (!b.connected || b.last < t.upto) {
			return false
		}
	}
	return true
}

// lookAgain has everybody join once more: what room_joined says then is what they
// have in the end.
func (r *betting) lookAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Settle)
	defer cancel()
	var all sync.WaitGroup
	slots := make(chan struct{}, dialsAtOnce)
	errs := make([]error, len(r.bots))
	for i, b := range r.bots {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = b.lookAgain(ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// connect returns when everybody is at his table.
func (r *betting) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	slots := make(chan struct{}, dialsAtOnce)
	for _, b := range r.bots {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := b.dial(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("connect the bots: %w", err)
	}
	return nil
}

func (r *betting) close() {
	var all sync.WaitGroup
	for _, b := range r.bots {
		if b.client != nil {
			all.Go(b.client.Close)
		}
	}
	all.Wait()
}

// answered counts an error that the server answered.
func (r *betting) answered(code wire.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[code]++
}

func (r *betting) gaveUp(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
}

// interval is how often one bot sends.
func (c *Config) interval() time.Duration {
	return time.Duration(math.Round(float64(c.Publishers) / c.Rate * float64(time.Second)))
}

// noted keeps what a command was answered, or that it was not.
func (t *betTable) noted(x result, round int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results = append(t.results, x)
	t.newest = max(t.newest, x.seq)
	if round > 0 && x.seq > 0 {
		t.staked[round] = true
	}
}

func (t *betTable) fault(kind book.Kind, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, book.Fault{Kind: kind, Text: fmt.Sprintf(format, args...)})
}
