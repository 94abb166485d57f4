package bench

import (
	"context"
	"errors"
)

// measure puts one load on a server.
func measure(ctx context.Context, srv *server, l *load, readers int, show func(string)) (res *Result, err error) {
	if err := allowFiles(l.connections() + l.Open/perOpener + spareFiles); err != nil {
		return nil, err
	}
	var kbPerRoom *float64
	if l.Open > 0 {
		var openers *swarm
		openers, kbPerRoom, err = openRooms(ctx, srv, l, readers, show)
		if openers != nil {
			defer func() { err = errors.Join(err, openers.stop()) }()
		}
		if err != nil {
			return nil, err
		}
	}
	if l.Sender != "" {
		if srv.names, err = nodeNames(ctx, srv.urls); err != nil {
			return nil, err
		}
	}
	s, err := newSwarm(srv, l, readers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	switch l.Mode {
	case Idle:
		res, err = s.idle(ctx, srv, l, show)
	case Join:
		if l.Resume {
			res, err = s.resume(ctx, srv, l, show)
		} else {
			res, err = s.join(ctx, srv, l, show)
		}
	default:
		res, err = s.traffic(ctx, srv, l, show)
	}
	if err != nil {
		return nil, err
	}
	res.KBPerRoom = kbPerRoom
	return res, nil
}
