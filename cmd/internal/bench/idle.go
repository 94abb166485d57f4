package bench

import (
	"context"
	"fmt"
)

// idle measures connections on which nothing is said.
func (s *swarm) idle(ctx context.Context, srv *server, l *load, show func(string)) (*Result, error) {
	res := &Result{}
	before, err := srv.processes.resident()
	if err != nil {
		return nil, err
	}
	if err := s.connectTimed(ctx, res, show); err != nil {
		return nil, err
	}
	if err := s.pass(ctx, l.Settle); err != nil {
		return nil, err
	}
	after, err := srv.processes.resident()
	if err != nil {
		return nil, err
	}
	if srv.known() {
		res.KBPerConnection = measured(float64(after-before) / 1024 / float64(len(s.conns)))
	}
	from, err := s.sample(srv)
	if err != nil {
		return nil, err
	}
	err = s.watch(ctx, func() bool {
		show(fmt.Sprintf("%d connections idle for %.0f of %.0f s", len(s.conns), (s.now() - from.at).Seconds(), l.Duration.Seconds()))
		return s.now()-from.at >= l.Duration
	})
	if err != nil {
		return nil, err
	}
	to, err := s.sample(srv)
	if err != nil {
		return nil, err
	}
	res.Seconds = (to.at - from.at).Seconds()
	if srv.known() {
		res.IdleCPUPercent = measured(100 * (to.server - from.server).Seconds() / res.Seconds)
	}
	s.finish(res)
	return res, nil
}
