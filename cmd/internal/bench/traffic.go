package bench

import (
	"context"
	"fmt"
	"os"
	"time"
)

// drainFor is how long nothing may come after the last message was sent, until
// what has not come counts as missing.
const drainFor = 3 * time.Second

// sample is the counters and the CPU times so far, at one moment.
type sample struct {
	at          time.Duration
	server, own time.Duration // CPU
	counters
}

func (s *swarm) sample(srv *server) (m sample, err error) {
	m = sample{at: s.now(), counters: s.counters()}
	if m.own, err = (process{os.Getpid()}).cpu(); err != nil {
		return m, err
	}
	m.server, err = srv.processes.cpu()
	return m, err
}

// traffic measures publishers at work.
func (s *swarm) traffic(ctx context.Context, srv *server, l *load, show func(string)) (*Result, error) {
	res := &Result{}
	if err := s.connectTimed(ctx, res, show); err != nil {
		return nil, err
	}
	if err := s.pass(ctx, l.Settle); err != nil {
		return nil, err
	}
	s.each((*reader).startPublishing)
	if err := s.pass(ctx, l.Warmup); err != nil {
		return nil, err
	}
	from, err := s.sample(srv)
	if err != nil {
		return nil, err
	}
	s.measuring.Store(true)
	err = s.watch(ctx, func() bool {
		passed := s.now() - from.at
		count := s.counters()
		show(fmt.Sprintf("%d messages, %d deliveries, %v of %v", count.sent, count.delivered, passed.Round(time.Second), l.Duration))
		return passed >= l.Duration
	})
	if err != nil {
		return nil, err
	}
	to, err := s.sample(srv)
	if err != nil {
		return nil, err
	}
	s.measuring.Store(false)
	res.rates(from, to, srv.known())
	if err := s.drain(ctx, show); err != nil {
		return nil, err
	}
	s.finish(res)
	return res, nil
}

func (s *swarm) connectTimed(ctx context.Context, res *Result, show func(string)) error {
	began := time.Now()
	err := s.connectAll(ctx, func(done int) { show(fmt.Sprintf("%d of %d connections", done, len(s.conns))) })
	res.Connections = len(s.conns)
	res.ConnectionsPerS = float64(len(s.conns)) / time.Since(began).Seconds()
	return err
}

// drain ends the publishing and waits until everything has come, or nothing
// more comes.
func (s *swarm) drain(ctx context.Context, show func(string)) error {
	s.each(func(r *reader) { r.publishing = false })
	var sent, due uint64
	for _, p := range s.pubs { // nobody writes sent any more
		sent += uint64(p.sent)
		due += uint64(p.sent) * uint64(p.members)
	}
	last, at := counters{}, time.Now()
	return s.watch(ctx, func() bool {
		count := s.counters()
		if count.delivered != last.delivered || count.acked != last.acked {
			last, at = count, time.Now()
		}
		show(fmt.Sprintf("%d of %d deliveries", count.delivered, due))
		complete := count.delivered >= due && (!s.dialect.ids || count.acked+count.refused >= sent)
		return complete || time.Since(at) > drainFor
	})
}

// finish adds what each member got of each publisher in its room, and what is
// counted in every mode.
func (s *swarm) finish(res *Result) {
	for _, p := range s.pubs {
		res.Messages += uint64(p.sent)
	}
	var hist, acks histogram
	s.each(func(r *reader) {
		hist.merge(&r.hist)
		acks.merge(&r.acks)
		for _, c := range s.conns {
			if s.readerOf(c) != r {
				continue
			}
			for _, p := range s.pubsOf[c.room] {
				if p.conn == c && !p.echo {
					continue
				}
				res.Missing += uint64(p.sent - c.heard[p.sender].got)
			}
			if c.state == closed {
				res.CloseCode = c.code
			}
		}
	})
	res.latency(&hist, &acks)
	count := s.counters()
	res.Deliveries, res.Misordered, res.Late = count.delivered, count.misordered, count.late
	res.Refused, res.Closed = count.refused, count.closed
	if text := s.answer.Load(); text != nil {
		res.FirstRefusal = *text
	}
	if answered := count.acked + count.refused; s.dialect.ids && res.Messages > answered {
		res.Unacked = res.Messages - answered
	}
}
