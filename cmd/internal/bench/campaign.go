package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	// atOnce is how many connections are opened, or rooms joined, at the same
	// time: enough to keep the server busy, and below what it may refuse.
	atOnce = 128
	// perLocalAddress is how many connections share a local address: it has
	// some 28,000 ports towards one server.
	perLocalAddress = 20_000
	// stuck is how long nothing may happen before a run is given up.
	stuck = 30 * time.Second
	// busyRetries is how often a connection tries again what was refused.
	busyRetries = 100
)

// refusal is an error that the server answered.
type refusal struct{ text string }

func (e *refusal) Error() string { return "the server answered " + e.text }

func (e *refusal) retryable() bool { return strings.Contains(e.text, `"retryable":true`) }

func retryable(err error) bool {
	var no *refusal
	return errors.As(err, &no) && no.retryable()
}

// finished tells that a connection has what it waited for, or an error.
type finished struct {
	conn *conn
	err  error
}

// campaign has every connection of conns do steps things, each begun by begin
// and finished by the server's answer, atOnce at the same time. What the
// server refuses as busy is tried again.
func (s *swarm) campaign(ctx context.Context, conns []*conn, steps int, begin func(c *conn, step int) error, show func(done int)) error {
	timeout := time.NewTimer(stuck)
	defer timeout.Stop()
	stepOf := make([]int, len(s.conns))
	retries, next, running, complete := 0, 0, 0, 0
	for complete < len(conns) {
		for running < atOnce && next < len(conns) {
			if err := begin(conns[next], 0); err != nil {
				return err
			}
			next, running = next+1, running+1
		}
		select {
		case f := <-s.finished:
			timeout.Reset(stuck)
			index := f.conn.index
			if f.err == nil {
				stepOf[index]++
			} else if retries++; !retryable(f.err) || retries > busyRetries*len(conns) {
				return f.err
			}
			if stepOf[index] < steps {
				if err := begin(f.conn, stepOf[index]); err != nil {
					return err
				}
				continue
			}
			running, complete = running-1, complete+1
			show(complete)
		case err := <-s.faults:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout.C:
			return fmt.Errorf("the server answered nothing for %v: %d of %d clients had what they asked for", stuck, complete, len(conns))
		}
	}
	return nil
}

// connect opens a connection; it is finished when its room is joined.
func (s *swarm) connect(c *conn) error {
	var from netip.Addr
	to := s.nodes[c.node]
	if len(s.conns) > perLocalAddress && to.addr.Addr().Is4() && to.addr.Addr().IsLoopback() {
		from = netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + int(c.index)/perLocalAddress)})
	}
	fd, err := connect(to.addr, from)
	if err != nil {
		return err
	}
	request := upgradeRequest(to.url.Host, to.url.EscapedPath()+"?"+s.dialect.query(s.rooms[c.room], fmt.Sprintf("b%d", c.index)).Encode(), s.compress)
	if n, err := writeSocket(fd, request); err != nil || n < len(request) {
		return errors.Join(fmt.Errorf("send %d of %d bytes of a handshake: %w", n, len(request), err), closeSocket(fd))
	}
	r := s.readerOf(c)
	r.post(func() { r.take(c, fd) })
	return nil
}

// connectAll opens all connections and waits until each is in its room.
func (s *swarm) connectAll(ctx context.Context, show func(done int)) error {
	return s.campaign(ctx, s.conns, 1, func(c *conn, _ int) error { return s.connect(c) }, show)
}

// move has a connection join or leave a room.
func (s *swarm) move(c *conn, typ, room string) {
	r := s.readerOf(c)
	r.post(func() {
		c.waiting = 1
		r.send(c, s.dialect.move(typ, room))
	})
}
