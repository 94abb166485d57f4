package bench

import (
	"context"
	"fmt"
	"strconv"
)

// openRooms opens l.Open rooms through a few connections, each in many, and
// returns the server's memory for each room, those connections included. They
// stay open until the swarm is stopped.
func openRooms(ctx context.Context, srv *server, l *load, readers int, show func(string)) (s *swarm, kb *float64, err error) {
	openers := (l.Open + perOpener - 1) / perOpener
	before, err := srv.processes.resident()
	if err != nil {
		return nil, nil, err
	}
	// Every opener has a room of its own to connect into.
	s, err = newSwarm(srv, &load{Mode: Rooms, Rooms: openers, Members: 1, Size: l.Size}, readers)
	if err != nil {
		return nil, nil, err
	}
	done := func(n int) { show(fmt.Sprintf("%d of %d rooms open", min(n*perOpener, l.Open), l.Open)) }
	begin := func(c *conn, step int) error {
		if step == 0 {
			return s.connect(c)
		}
		s.move(c, "join_room", s.rooms[c.room]+"-"+strconv.Itoa(step))
		return nil
	}
	if err := s.campaign(ctx, campaign{conns: s.conns, steps: perOpener, atOnce: atOnce, begin: begin, show: done}); err != nil {
		return s, nil, err
	}
	if err := s.pass(ctx, l.Settle); err != nil {
		return s, nil, err
	}
	after, err := srv.processes.resident()
	if err == nil && srv.known() {
		kb = measured(float64(after-before) / 1024 / float64(openers*perOpener))
	}
	return s, kb, err
}
