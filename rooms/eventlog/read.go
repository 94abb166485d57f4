package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// How the log is read: an unfiltered range costs 0.4 ms per 100 messages, a
// scan for one room among thousands 4 to 46 ms, during which appends wait. So
// short ranges are read unfiltered, with the events of all rooms.
const (
	// MaxUnfiltered is the longest range, in sequences, that is read unfiltered.
	MaxUnfiltered = 1000

	readBatch = 500 // messages per request of a scan
	readBytes = 4 << 20

	// MaxPageBytes bounds the bodies of a page, in bytes, unless the Range says
	// otherwise; an event that is larger gets a page of its own.
	MaxPageBytes = 4 << 20
)

// errInconsistent: the parts of an answer do not fit together, because they
// came from different replicas, or from different leaders.
var errInconsistent = errors.New("the log dropped events, or has another leader, since a read of it began")

// Read reads a range of a room's log once, from q.From. It waits for its turn
// while ReadsAtOnce reads are running; a read for history also while
// PagesAtOnce of those are. An error means that there was no answer, or an
// inconsistent one.
func (l *Log) Read(ctx context.Context, room wire.Room, q follow.Range) (p follow.Page, err error) {
	if q.Upto <= q.After {
		return follow.Page{Op: q.Op, HighWatermark: q.Upto}, nil
	}
	if q.History {
		if err := acquireSlot(ctx, l.pages); err != nil {
			return p, err
		}
		defer func() { <-l.pages }()
	}
	if err := l.acquire(ctx); err != nil {
		return p, err
	}
	defer l.release()
	if q.Newest > 0 && q.After == 0 {
		p, err = l.readNewest(ctx, room, q)
	} else {
		p, err = l.readOnce(ctx, room, q)
	}
	p.Op = q.Op
	return p, err
}

// readNewest looks for the newest events in ranges that grow backwards, because
// the log can only be read forward.
func (l *Log) readNewest(ctx context.Context, room wire.Room, q follow.Range) (p follow.Page, err error) {
	for width := uint64(q.Newest); ; width *= 8 {
		part := q
		part.After = q.Upto - min(width, q.Upto)
		p, err = l.readOnce(ctx, room, part)
		p.Start, p.StartTime, p.ContiguousFrom = false, "", 0 // they refer to part.After
		switch {
		case err != nil, part.After == 0, p.HighWatermark < q.Upto:
			return p, err
		case p.Cut, len(p.Events) >= q.Newest:
			p.Cut = true // there may be older ones
			return p, nil
		}
	}
}

func (l *Log) readOnce(ctx context.Context, room wire.Room, q follow.Range) (follow.Page, error) {
	if q.From == follow.Leader {
		return l.readLeader(ctx, room, q)
	}
	return l.readAny(ctx, room, q)
}

// readAny sends direct gets. A second one is needed when the first answer is
// full; it starts at the last event of the room that is known, which must be in
// the answer, else the two do not fit together.
func (l *Log) readAny(ctx context.Context, room wire.Room, q follow.Range) (follow.Page, error) {
	c := newCollector(room, q)
	unfiltered := q.Upto-q.After <= MaxUnfiltered
	for from := max(q.After, 1); ; {
		req := directRequest{Seq: from, MaxBytes: min(readBytes, c.q.Bytes+maxMessage(l.cfg.Space))}
		if unfiltered {
			req.Batch = int(q.Upto-from) + 2 // one more shows that the replica has passed Upto
		} else {
			req.Batch, req.NextBySub = readBatch, l.cfg.Space.Capture(room)
		}
		answer, err := l.directGet(ctx, req)
		if err != nil {
			return c.page, err
		}
		if unfiltered {
			c.page.ContiguousFrom = contiguousFrom(answer.list, c.token, q)
		}
		if !c.addAnswer(answer, from) {
			return c.page, errInconsistent
		}
		if c.full || !answer.more || answer.last >= q.Upto {
			c.finish(answer)
			return c.page, nil
		}
		if next := max(c.last, q.After, 1); next == from && !unfiltered {
			return c.page, fmt.Errorf("read the log of %q after %d: an answer holds one event and more: %w", room, from, errInconsistent)
		}
		from, unfiltered = max(c.last, q.After, 1), false
	}
}

// readLeader reads one event at a time. It asks the leader for the state of the
// stream before and after: the answers in between are from one leader only if
// that is the same both times.
func (l *Log) readLeader(ctx context.Context, room wire.Room, q follow.Range) (follow.Page, error) {
	c := newCollector(room, q)
	before, err := l.info(ctx)
	if err != nil {
		return c.page, err
	}
	for from := max(q.After, 1); from <= q.Upto && !c.full; {
		msg, err := l.leaderGet(ctx, leaderRequest{Seq: from, NextBySub: l.cfg.Space.Capture(room)})
		if err != nil {
			return c.page, err
		}
		if msg == nil {
			break
		}
		c.add(storedMessage{msg.event(), c.token})
		from = msg.Seq + 1
	}
	after, err := l.info(ctx)
	if err != nil {
		return c.page, err
	}
	if after.Epoch != before.Epoch || after.leader() != before.leader() || after.Last < before.Last {
		return c.page, errInconsistent
	}
	c.page.HighWatermark = max(c.page.HighWatermark, before.Last)
	c.keepNewest()
	return c.page, nil
}

// collector puts a page of one room together from several answers.
type collector struct {
	// fixed
	token string
	q     follow.Range

	page  follow.Page
	bytes int    // of the page's bodies
	last  uint64 // the room's newest event so far, the one at After included; 0: none
	full  bool   // the page has as many as the Range allows
}

func newCollector(room wire.Room, q follow.Range) collector {
	q.Bytes = cmp.Or(q.Bytes, MaxPageBytes)
	return collector{token: wire.RoomToken(room), q: q}
}

// addAnswer adds the answer to a request from `from`, and reports false if it
// does not continue what was read before.
func (c *collector) addAnswer(answer directAnswer, from uint64) bool {
	if c.last != 0 && (len(answer.list) == 0 || answer.list[0].Seq != from) {
		return false
	}
	for _, s := range answer.list {
		if s.Seq > c.last {
			c.add(s)
		}
	}
	return true
}

func (c *collector) add(s storedMessage) {
	c.page.HighWatermark = max(c.page.HighWatermark, s.Seq)
	switch {
	case s.token != c.token || s.Seq > c.q.Upto || c.full:
		return
	case s.Seq == c.q.After:
		c.page.Start, c.page.StartTime = true, s.Time
	case c.q.All && c.exceedsLimits(s):
		c.full, c.page.Cut, c.page.Events = true, true, nil
		return
	case c.q.Newest == 0 && len(c.page.Events) > 0 && (len(c.page.Events) == MaxPage || c.bytes+len(s.Body) > c.q.Bytes):
		c.full, c.page.Cut = true, true
		return
	default:
		c.page.Events = append(c.page.Events, s.Event)
		c.bytes += len(s.Body)
		if c.q.Newest > 0 && (len(c.page.Events) == 2*c.q.Newest || c.bytes > 2*c.q.Bytes) {
			c.keepNewest()
		}
	}
	c.last = s.Seq
}

// exceedsLimits reports whether one more event makes the page larger than the
// Range allows.
func (c *collector) exceedsLimits(s storedMessage) bool {
	return len(c.page.Events) == c.q.Newest || c.bytes+len(s.Body) > c.q.Bytes
}

// keepNewest drops all but the newest events. It is called when there are twice
// as many, or twice the bytes, so that a long range takes little memory and
// little copying.
func (c *collector) keepNewest() {
	if c.q.Newest == 0 {
		return
	}
	events := c.page.Events
	extra, bytes := max(0, len(events)-c.q.Newest), 0
	for i := len(events) - 1; i >= extra; i-- {
		if bytes += len(events[i].Body); bytes > c.q.Bytes && i < len(events)-1 {
			extra = i + 1
		}
	}
	if extra == 0 {
		return
	}
	for _, e := range events[:extra] {
		c.bytes -= len(e.Body)
	}
	kept := copy(events, events[extra:])
	clear(events[kept:])
	c.page.Events, c.page.Cut = events[:kept], true
}

// finish records what the end of an answer shows about the replica.
func (c *collector) finish(answer directAnswer) {
	c.keepNewest()
	if answer.more {
		c.page.HighWatermark = max(c.page.HighWatermark, answer.last+1)
	}
	if c.page.HighWatermark < c.q.Upto {
		c.page.ContiguousFrom = 0
	}
}

// contiguousFrom returns the lowest sequence from which the list has every
// sequence up to its first event of the room after q.After, or up to q.Upto; 0
// if there is none.
func contiguousFrom(list []storedMessage, token string, q follow.Range) uint64 {
	from, next := q.After+1, q.After+1
	for _, s := range list {
		if s.Seq <= q.After {
			continue
		}
		if s.Seq != next {
			from = s.Seq
		}
		if s.token == token || s.Seq >= q.Upto {
			return from
		}
		next = s.Seq + 1
	}
	return 0
}
