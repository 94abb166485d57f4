package bench

import (
	"context"
	"fmt"
	"time"
)

// quietLimit bounds the wait until a room has sent all presence events.
const quietLimit = 30 * time.Second

// join measures a storm of joins in one room: first of those who connect, then,
// where the server lets clients move, of those who leave and come back. The
// presence events that the others get are part of the cost.
func (s *swarm) join(ctx context.Context, srv *server, l *load, show func(string)) (*Result, error) {
	res := &Result{}
	from, err := s.sample(srv)
	if err != nil {
		return nil, err
	}
	if err := s.connectTimed(ctx, res, show); err != nil {
		return nil, err
	}
	to, err := s.calm(ctx, srv, l.Settle, show)
	if err != nil {
		return nil, err
	}
	n := float64(len(s.conns))
	if srv.known() {
		res.CPUPerJoin = measured(micros(to.server-from.server) / n)
	}
	res.presence(from, to, n)
	if s.dialect.moves {
		if err := s.moveAll(ctx, "leave_room", show); err != nil {
			return nil, err
		}
		if from, err = s.calm(ctx, srv, l.Settle, show); err != nil {
			return nil, err
		}
		if err := s.moveAll(ctx, "join_room", show); err != nil {
			return nil, err
		}
		if to, err = s.calm(ctx, srv, l.Settle, show); err != nil {
			return nil, err
		}
		if srv.known() {
			res.CPUPerRejoin = measured(micros(to.server-from.server) / n)
		}
	}
	s.finish(res)
	return res, nil
}

func (s *swarm) moveAll(ctx context.Context, typ string, show func(string)) error {
	begin := func(c *conn, _ int) error {
		s.move(c, typ, s.rooms[c.room])
		return nil
	}
	done := func(n int) { show(fmt.Sprintf("%s: %d of %d", typ, n, len(s.conns))) }
	return s.campaign(ctx, campaign{conns: s.conns, steps: 1, atOnce: atOnce, begin: begin, show: done})
}

// calm waits until no connection got anything for the time quiet, but for
// quietLimit at most.
func (s *swarm) calm(ctx context.Context, srv *server, quiet time.Duration, show func(string)) (sample, error) {
	began, at, last := time.Now(), time.Now(), uint64(0)
	err := s.watch(ctx, func() bool {
		if count := s.counters().texts; count != last {
			last, at = count, time.Now()
		}
		show("waiting until all is told")
		return time.Since(at) >= quiet || time.Since(began) >= quietLimit
	})
	if err != nil {
		return sample{}, err
	}
	return s.sample(srv)
}
