package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// readBuffer is also the largest frame that the bench reads.
const readBuffer = 512 << 10

// reader owns a part of a swarm's connections, on one goroutine.
type reader struct {
	// fixed after newSwarm
	swarm *swarm
	poll  *poller
	pubs  []*publisher // in the order of their phases
	done  chan struct{}

	// owned by run
	scratch    []byte
	batch      []byte
	counts     counters
	hint       int // where the mark was in the last message
	hist       histogram
	acks       histogram
	inflater   inflater
	publishing bool
	began      time.Duration // of publishing at a rate
	turn       int           // which message at a rate is next
	stopped    bool

	mu     sync.Mutex
	posted []func() // guarded by mu
	shown  counters // guarded by mu
}

func (r *reader) run() {
	defer close(r.done)
	var err error
	list := make([]ready, 0, 512)
	for !r.stopped {
		if list, err = r.poll.wait(list); err != nil {
			r.swarm.fail(err)
			break
		}
		for _, ev := range list {
			r.handle(ev)
		}
		r.mu.Lock()
		r.shown = r.counts
		r.mu.Unlock()
	}
	for _, c := range r.swarm.conns {
		if r.swarm.readerOf(c) == r && c.state != closed {
			r.leave(c)
		}
	}
	if err := r.poll.close(); err != nil {
		r.swarm.fail(err)
	}
}

// post runs f on the reader's goroutine, soon.
func (r *reader) post(f func()) {
	r.mu.Lock()
	r.posted = append(r.posted, f)
	first := len(r.posted) == 1
	r.mu.Unlock()
	if !first {
		return
	}
	if err := r.poll.wakeUp(); err != nil {
		r.swarm.fail(fmt.Errorf("wake a reader: %w", err))
	}
}

// look returns the counters as they were after the last wake-up.
func (r *reader) look() counters {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

func (r *reader) handle(ev ready) {
	switch ev.index {
	case wokenUp:
		r.mu.Lock()
		posted := r.posted
		r.posted = nil
		r.mu.Unlock()
		for _, f := range posted {
			f()
		}
		return
	case timeUp:
		r.sendDue()
		return
	}
	c := r.swarm.conns[ev.index]
	if c.state != closed && ev.writable {
		r.flush(c)
	}
	if c.state != closed && ev.readable {
		r.read(c)
	}
}

// take makes the reader the owner of a connection whose upgrade was asked for.
func (r *reader) take(c *conn, fd int) {
	c.fd, c.state, c.waiting = fd, upgrading, 1
	if err := r.poll.add(fd, c.index); err != nil {
		r.swarm.fail(fmt.Errorf("add a socket to the epoll set: %w", err))
	}
}

// read reads once: what is left makes the socket ready again.
func (r *reader) read(c *conn) {
	kept := copy(r.scratch, c.carry)
	n, err := readSocket(c.fd, r.scratch[kept:])
	if err == nil && n <= 0 {
		err = io.EOF
	}
	if err != nil {
		if !errors.Is(err, errAgain) {
			r.lost(c, 1006)
		}
		return
	}
	r.counts.reads++
	r.counts.bytes += uint64(n)
	data := r.scratch[:kept+n]
	now := r.swarm.now()
	if c.state == upgrading {
		size, err := upgraded(data, r.swarm.compress)
		if err != nil {
			r.swarm.fail(err)
			return
		}
		if size > 0 {
			c.state = open
		}
		data = data[size:]
	}
	for c.state == open {
		f, size, err := nextFrame(data, readBuffer)
		if err != nil {
			r.swarm.fail(err)
			return
		}
		if size == 0 {
			break
		}
		data = data[size:]
		r.frame(c, f, now)
	}
	r.carry(c, data)
	r.goOn(c)
}

// carry keeps what could not be used yet for the next read.
func (r *reader) carry(c *conn, rest []byte) {
	if len(rest) == 0 && cap(c.carry) > 1<<10 {
		c.carry = nil // it was a long one; most connections never need it again
		return
	}
	c.carry = append(c.carry[:0], rest...)
}

func (r *reader) frame(c *conn, f frame, now time.Duration) {
	switch f.op {
	case opText:
		r.counts.texts++
		text := f.data
		if f.packed {
			var err error
			if text, err = r.inflater.inflate(f.data); err != nil {
				r.swarm.fail(err)
				return
			}
		}
		r.text(c, text, now)
	case opPing:
		r.send(c, appendFrame(nil, opPong, f.data))
	case opClose:
		r.lost(c, closeCode(f.data))
	case opContinue, opPong: // a message is known by its first frame
	}
}

func (r *reader) text(c *conn, text []byte, now time.Duration) {
	if r.swarm.dialect.table && (bytes.HasPrefix(text, batchPrefix) || r.swarm.dialect.bets) && r.decided(c, text, now) {
		return
	}
	if r.swarm.dialect.isMessage(text) {
		s, at, ok := findStamp(text, r.hint)
		if r.hint = at; ok {
			r.message(c, s, now)
		}
		if c.back != nil {
			c.back.room.Seq = seqOf(text)
		}
		return
	}
	if r.swarm.dialect.bets && bytes.HasPrefix(text, welcomePrefix) {
		r.welcomed(c, text)
	}
	if c.back != nil && bytes.HasPrefix(text, joinedPrefix) {
		r.entered(c, text)
	}
	switch r.swarm.dialect.kindOf(text) {
	case acked:
		r.counts.acked++
		r.acknowledged(c, text, now)
	case presence:
		r.counts.presenceBytes += uint64(len(text))
		r.counts.presenceFrames++
	case joined, left:
		r.progressed(c, nil)
	case refused:
		r.counts.refused++
		r.swarm.note(text)
		r.progressed(c, &refusal{string(text)})
	case opened:
		r.send(c, socketHello)
	case heartbeat:
		r.send(c, engineAlive)
	case other:
	}
}

func (r *reader) message(c *conn, s stamp, now time.Duration) {
	if int(s.sender) >= len(c.heard) || s.number >= r.swarm.pubsOf[c.room][s.sender].sent {
		return // somebody else's
	}
	moved := c.heard[s.sender].hear(s.number)
	if moved == 0 {
		r.counts.misordered++
		return
	}
	r.counts.delivered++
	if r.swarm.measuring.Load() {
		r.hist.add(now - s.sent)
	}
	p := r.swarm.pubsOf[c.room][s.sender]
	if p.ahead == 0 {
		return
	}
	if p.heard(s.number+1, moved); p.conn == c {
		p.returned = s.number + 1
	}
}

// progressed tells that one of the things a connection waits for came, or that
// it will not.
func (r *reader) progressed(c *conn, err error) {
	if c.waiting == 0 {
		return
	}
	if c.waiting--; c.waiting == 0 || err != nil {
		c.waiting = 0
		r.swarm.finished <- finished{conn: c, err: err} // one per connection, and that many fit
	}
}
