package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
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

// campaign is a series of requests on many connections: on each of them steps
// requests one after the other, sent by begin and finished by the server's
// answer.
type campaign struct {
	conns  []*conn
	steps  int
	atOnce int           // requests under way at the same time
	spread time.Duration // the last one begins so long after the first; 0: as atOnce allows
	begin  func(c *conn, step int) error
	again  func(c *conn, step int) error // for what was refused; nil: begin
	show   func(done int)
}

// after is when a connection begins.
func (c *campaign) after(i int) time.Duration {
	return time.Duration(float64(c.spread) * float64(i) / float64(max(1, len(c.conns)-1)))
}

// campaign runs c. What the server refuses as busy is tried again.
func (s *swarm) campaign(ctx context.Context, c campaign) error {
	patience := stuck + c.after(1)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	began := time.Now()
	stepOf := make([]int, len(s.conns))
	retries, next, running, complete := 0, 0, 0, 0
	for complete < len(c.conns) {
		for running < c.atOnce && next < len(c.conns) {
			if wait := c.after(next) - time.Since(began); wait > 0 {
				pace.Reset(wait)
				break
			}
			if err := c.begin(c.conns[next], 0); err != nil {
				return err
			}
			next, running = next+1, running+1
		}
		select {
		case f := <-s.finished:
			timeout.Reset(patience)
			index, begin := f.conn.index, c.begin
			switch {
			case f.err == nil:
				stepOf[index]++
			case !retryable(f.err) || retries == busyRetries*len(c.conns):
				return f.err
			default:
				retries++
				if c.again != nil {
					begin = c.again
				}
			}
			if stepOf[index] < c.steps {
				if err := begin(f.conn, stepOf[index]); err != nil {
					return err
				}
				continue
			}
			running, complete = running-1, complete+1
			c.show(complete)
		case <-pace.C:
		case err := <-s.faults:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout.C:
			return fmt.Errorf("the server answered nothing for %v: %d of %d clients had what they asked for", patience, complete, len(c.conns))
		}
	}
	return nil
}

// connect opens a connection; it is finished when its room is joined.
func (s *swarm) connect(c *conn) error {
	to := s.nodes[c.node]
	from := s.localAddr(c, to.addr.Addr())
	fd, err := connect(to.addr, from)
	if err != nil {
		return err
	}
	query, token := s.dialect.query(s.rooms[c.room], userOf(c)), ""
	if c.back != nil {
		token = c.back.token
	}
	if c.returns() {
		query = url.Values{"resume": {c.back.resume}}
	}
	request := upgradeRequest(to.url.Host, to.url.EscapedPath()+"?"+query.Encode(), token, s.compress)
	if n, err := writeSocket(fd, request); err != nil || n < len(request) {
		return errors.Join(fmt.Errorf("send %d of %d bytes of a handshake: %w", n, len(request), err), closeSocket(fd))
	}
	r := s.readerOf(c)
	r.post(func() { r.take(c, fd) })
	return nil
}

// localAddr is the local address of a connection; the zero value leaves it to
// the system. A client that resumes connects from another address than before:
// the ports of the old connections are not free for a minute (TIME_WAIT).
func (s *swarm) localAddr(c *conn, to netip.Addr) netip.Addr {
	if !to.Is4() || !to.IsLoopback() || len(s.conns) <= perLocalAddress && !c.returns() {
		return netip.Addr{}
	}
	from := [4]byte{127, 0, 0, byte(2 + int(c.index)/perLocalAddress)}
	if c.returns() {
		from[2] = 1
	}
	return netip.AddrFrom4(from)
}

// connectAll opens all connections and waits until each is in its room.
func (s *swarm) connectAll(ctx context.Context, show func(done int)) error {
	return s.campaign(ctx, campaign{
		conns: s.conns, steps: 1, atOnce: atOnce, show: show,
		begin: func(c *conn, _ int) error { return s.connect(c) },
		again: func(c *conn, _ int) error { return s.enter(c) },
	})
}

// enter joins a room again that an open connection was refused.
func (s *swarm) enter(c *conn) error {
	r := s.readerOf(c)
	r.post(func() {
		var since *wire.Position
		if c.returns() {
			since = &c.back.room.Position
		}
		c.waiting = 1
		r.send(c, s.dialect.enter(s.rooms[c.room], since))
	})
	return nil
}

// move has a connection join or leave a room.
func (s *swarm) move(c *conn, typ, room string) {
	r := s.readerOf(c)
	r.post(func() {
		c.waiting = 1
		r.send(c, s.dialect.move(typ, room))
	})
}
