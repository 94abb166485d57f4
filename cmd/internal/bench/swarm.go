package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// spareFiles is what a process opens besides connections.
	spareFiles = 100
	// tick is how often a run looks where it stands.
	tick = 50 * time.Millisecond
)

// swarm is the connections of one run. Its methods are for one goroutine.
type swarm struct {
	// fixed after newSwarm
	dialect  dialect
	nodes    []node
	names    []string // of the nodes; nil: not known
	rooms    []string
	interval time.Duration // of a publisher at a rate
	compress bool          // offer permessage-deflate
	conns    []*conn
	pubs     []*publisher        // of all rooms
	pubsOf   [][]*publisher      // of each room, by their sender's number
	senders  []map[string]uint32 // of each room with bets, their numbers by uid; owned by the room's reader
	readers  []*reader
	start    time.Time

	measuring atomic.Bool // latencies are counted
	answer    atomic.Pointer[string]
	finished  chan finished
	faults    chan error
}

// newSwarm prepares what load says, and starts its readers; stop ends them.
func newSwarm(srv *server, load *load, readers int) (s *swarm, err error) {
	s = &swarm{dialect: load.spoken(srv.dialect), names: srv.names, start: time.Now(), faults: make(chan error, 1), finished: make(chan finished, load.connections()), compress: load.Compress}
	for _, text := range srv.urls {
		n, err := newNode(text)
		if err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, n)
	}
	if load.Rate > 0 {
		s.interval = time.Duration(float64(time.Second) / load.Rate)
	}
	s.seat(load)
	if srv.key != "" {
		if err := s.returners(srv.key); err != nil {
			return nil, err
		}
	}
	readers = min(readers, load.Rooms)
	for i := range readers {
		poll, err := newPoller()
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		r := &reader{swarm: s, poll: poll, done: make(chan struct{}), scratch: make([]byte, readBuffer)}
		for _, p := range s.pubs {
			if int(p.conn.room)%readers == i {
				r.pubs = append(r.pubs, p)
			}
		}
		s.readers = append(s.readers, r)
	}
	for _, r := range s.readers {
		go r.run()
	}
	return s, nil
}

// seat gives every connection its room, and the publishers theirs: the first
// members of each room speak.
func (s *swarm) seat(load *load) {
	run := strconv.FormatInt(s.start.UnixNano(), 36)
	for room := range load.Rooms {
		s.rooms = append(s.rooms, s.roomName(run, room, load.Sender))
		s.pubsOf = append(s.pubsOf, nil)
		s.senders = append(s.senders, make(map[string]uint32))
		senders := load.sendersIn(room)
		for member := range load.Members {
			// The publishers, who are the first members, are spread as well.
			at := (room + member) % len(s.nodes)
			if load.Sender != "" && member < senders {
				at = room % len(s.nodes)
			}
			c := &conn{index: int32(len(s.conns)), room: int32(room), node: int32(at), heard: make([]heard, senders), code: 1006}
			s.conns = append(s.conns, c)
			if member >= senders {
				continue
			}
			number := member*load.Rooms + room
			c.pub = &publisher{
				conn: c, sender: uint32(member), members: uint32(load.receivers()), echo: !load.Unlogged, ahead: uint32(load.Ahead), behind: load.behind(room), template: s.dialect.messages(load),
				phase: s.interval * time.Duration(number) / time.Duration(load.Publishers),
			}
			s.pubs = append(s.pubs, c.pub)
			s.pubsOf[room] = append(s.pubsOf[room], c.pub)
		}
	}
	slices.SortFunc(s.pubs, func(a, b *publisher) int { return cmp.Compare(a.phase, b.phase) })
}

// node is one of the server's processes to which clients connect.
type node struct {
	addr netip.AddrPort
	url  *url.URL
}

func newNode(text string) (n node, err error) {
	if n.url, err = url.Parse(text); err != nil {
		return n, fmt.Errorf("--url: %w", err)
	}
	n.addr, err = resolve(n.url)
	return n, err
}

func resolve(u *url.URL) (netip.AddrPort, error) {
	if u.Scheme != "ws" {
		return netip.AddrPort{}, fmt.Errorf("--url %s: the bench speaks ws:// only", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("--url %s: %w", u.Redacted(), err)
	}
	ap := addr.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// readerOf is the same for all members of a room.
func (s *swarm) readerOf(c *conn) *reader { return s.readers[int(c.room)%len(s.readers)] }

// now is the clock of stamps.
func (s *swarm) now() time.Duration { return time.Since(s.start) }

// fail ends the run with its first error.
func (s *swarm) fail(err error) {
	select {
	case s.faults <- err:
	default:
	}
}

// note keeps the first error that the server answered.
func (s *swarm) note(text []byte) {
	if s.answer.Load() == nil {
		t := string(text)
		s.answer.CompareAndSwap(nil, &t)
	}
}

// counters are as fresh as the readers' last wake-ups.
func (s *swarm) counters() counters {
	var sum counters
	for _, r := range s.readers {
		sum.add(r.look())
	}
	return sum
}

// each runs f on every reader's goroutine, one after the other.
func (s *swarm) each(f func(*reader)) {
	for _, r := range s.readers {
		ran := make(chan struct{})
		r.post(func() {
			f(r)
			close(ran)
		})
		select {
		case <-ran:
		case <-r.done: // it has failed, and said so
		}
	}
}

// stop closes all connections and ends the readers.
func (s *swarm) stop() error {
	for _, r := range s.readers {
		r.post(func() { r.stopped = true })
		<-r.done
	}
	select {
	case err := <-s.faults:
		return err
	default:
		return nil
	}
}

// watch calls look every tick until it returns true, and fails with the run.
func (s *swarm) watch(ctx context.Context, look func() bool) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !look() {
		select {
		case <-ticker.C:
		case err := <-s.faults:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// pass waits for d.
func (s *swarm) pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-s.faults:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
