package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// standing is a client's position in a room.
type standing struct {
	wire.Position
	recovered bool // it has come back to where it was
}

// returner is what a client must know to resume.
type returner struct {
	token       string // of its user
	inbox, room standing
	resume      string // the parameter of the connection that is opened next; "": it is the first
}

var (
	epochKey     = []byte(`"epoch":"`)
	seqKey       = []byte(`"seq":`)
	recoveredYes = []byte(`"recovered":true`)
)

// entered takes the position of a room_joined. What it looks at comes before
// the list of members, which may be long.
func (r *reader) entered(c *conn, text []byte) {
	head := text[:min(len(text), 400)]
	at := &c.back.room
	if bytes.Contains(head, inbox) {
		at = &c.back.inbox
	}
	if _, rest, ok := bytes.Cut(head, epochKey); ok {
		epoch, _, _ := bytes.Cut(rest, []byte{'"'})
		at.Epoch = string(epoch)
	}
	at.Seq = seqOf(head)
	at.recovered = bytes.Contains(head, recoveredYes)
}

// seqOf returns the first seq in an event.
func seqOf(text []byte) uint64 {
	_, rest, _ := bytes.Cut(text, seqKey)
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	seq, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return 0 // no seq: the server will not take the position, which is counted
	}
	return seq
}

// prepare makes the resume parameter of the next connection.
func (b *returner) prepare(room string) {
	list := wire.AppendResume(nil, wire.Resume{Room: room, Since: b.room.Position})
	b.inbox.recovered, b.room.recovered = false, false
	b.resume = string(wire.AppendResume(append(list, ','), wire.Resume{Room: wire.InboxAlias, Since: b.inbox.Position}))
}

// returners gives every connection a user of its own: a guest who comes back
// without a token is somebody else.
func (s *swarm) returners(key string) error {
	for _, c := range s.conns {
		token, err := auth.SignToken([]byte(key), auth.Claims{UID: userOf(c), Expires: s.start.Add(24 * time.Hour)})
		if err != nil {
			return err
		}
		c.back = &returner{token: token}
	}
	return nil
}

// resume measures a storm of clients who come back. All have heard a message
// before they were cut off, and all but the first miss one, which each of them
// must get, and nothing twice.
func (s *swarm) resume(ctx context.Context, srv *server, l *load, show func(string)) (*Result, error) {
	res := &Result{}
	if err := s.connectTimed(ctx, res, show); err != nil {
		return nil, err
	}
	if err := s.say(ctx, len(s.conns)); err != nil {
		return nil, err
	}
	from, err := s.calm(ctx, srv, l.Settle, show)
	if err != nil {
		return nil, err
	}
	if err := srv.processes.forgetPeak(); err != nil {
		return nil, err
	}
	s.cutOff()
	if err := s.comeBack(ctx, s.conns[:1], 0, show); err != nil {
		return nil, err
	}
	if err := s.say(ctx, 1); err != nil {
		return nil, err
	}
	began := s.now()
	if err := s.comeBack(ctx, s.conns[1:], l.Spread, show); err != nil {
		return nil, err
	}
	res.ResumeSeconds = measured((s.now() - began).Seconds())
	to, err := s.calm(ctx, srv, l.Settle, show)
	if err != nil {
		return nil, err
	}
	if srv.known() {
		peak, err := srv.processes.peak()
		if err != nil {
			return nil, err
		}
		res.CPUPerResume = measured(micros(to.server-from.server) / float64(len(s.conns)))
		res.PeakMB = measured(float64(peak) / (1 << 20))
	}
	s.finish(res)
	res.Unrecovered = s.unrecovered()
	return res, nil
}

// unrecovered counts the rooms and inboxes that came back without their
// position.
func (s *swarm) unrecovered() (n uint64) {
	s.each(func(r *reader) {
		for _, c := range s.conns {
			if s.readerOf(c) != r {
				continue
			}
			for _, at := range []standing{c.back.inbox, c.back.room} {
				if !at.recovered {
					n++
				}
			}
		}
	})
	return n
}

// say has the first member send a message, and waits until it is acknowledged
// and so many members have got it.
func (s *swarm) say(ctx context.Context, members int) error {
	before := s.counters()
	first := s.conns[0]
	s.each(func(r *reader) {
		if r == s.readerOf(first) {
			r.counts.sent++
			r.send(first, first.pub.next(nil, s.now()))
		}
	})
	began := time.Now()
	complete := func() bool {
		now := s.counters()
		return now.acked > before.acked && now.delivered-before.delivered >= uint64(members)
	}
	if err := s.watch(ctx, func() bool { return complete() || time.Since(began) > stuck }); err != nil {
		return err
	}
	if !complete() {
		return fmt.Errorf("a message did not come to %d members within %v", members, stuck)
	}
	return nil
}

// cutOff ends all connections without a close frame, as a network does.
func (s *swarm) cutOff() {
	s.each(func(r *reader) {
		for _, c := range s.conns {
			if s.readerOf(c) == r && c.state != closed {
				c.back.prepare(s.rooms[c.room])
				r.drop(c)
			}
		}
	})
}

// comeBack resumes, at once or evenly over a time.
func (s *swarm) comeBack(ctx context.Context, conns []*conn, spread time.Duration, show func(string)) error {
	return s.campaign(ctx, campaign{
		conns: conns, steps: 1, atOnce: len(conns), spread: spread,
		begin: func(c *conn, _ int) error { return s.connect(c) },
		again: func(c *conn, _ int) error { return s.enter(c) },
		show:  func(done int) { show(fmt.Sprintf("%d of %d have resumed", done, len(conns))) },
	})
}
