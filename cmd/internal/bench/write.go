package bench

import (
	"errors"
	"fmt"
)

// lost ends a connection that the server has ended.
func (r *reader) lost(c *conn, code int) {
	c.code = code
	r.counts.closed++
	for _, p := range r.swarm.pubsOf[c.room] {
		p.alone = true
	}
	r.progressed(c, fmt.Errorf("the server closed a connection with %d", code))
	r.drop(c)
}

// leave ends a connection with a close frame: its seat is free at once.
func (r *reader) leave(c *conn) {
	const goingAway = "\x03\xe9" // 1001
	_, _ = writeSocket(c.fd, appendFrame(nil, opClose, []byte(goingAway)))
	r.drop(c)
}

func (r *reader) drop(c *conn) {
	if err := closeSocket(c.fd); err != nil {
		r.swarm.fail(fmt.Errorf("close a socket: %w", err))
	}
	c.state, c.carry, c.out = closed, nil, nil
}

// send writes p, or keeps what the socket does not take now.
func (r *reader) send(c *conn, p []byte) {
	if c.state == closed {
		return
	}
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		return
	}
	n, err := writeSocket(c.fd, p)
	if err != nil && !errors.Is(err, errAgain) {
		r.lost(c, 1006)
		return
	}
	if n = max(n, 0); n < len(p) {
		c.out = append(c.out, p[n:]...)
		r.wantWrite(c, true)
	}
}

func (r *reader) flush(c *conn) {
	p := c.out
	c.out = nil
	if len(p) > 0 {
		r.send(c, p)
	}
	if c.state != closed && len(c.out) == 0 {
		r.wantWrite(c, false)
	}
}

func (r *reader) wantWrite(c *conn, want bool) {
	if err := r.poll.wantWrite(c.fd, c.index, want); err != nil {
		r.swarm.fail(fmt.Errorf("change an epoll set: %w", err))
	}
}
