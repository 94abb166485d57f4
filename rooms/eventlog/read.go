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
// scan for one room among thousands 4 to 46 ms and it blocks appends. So short
// ranges are read whole and filtered here.
const (
	// MaxUnfiltered is the longest range, in sequences, that is read whole.
	MaxUnfiltered = 1000

	readBatch = 500 // messages per request of a scan
	readBytes = 4 << 20

	// MaxPageBytes bounds the bodies of a page for which the reader names no
	// bound; an event that is larger comes alone.
	MaxPageBytes = 4 << 20
)

// errMoved: the parts of an answer do not join up, because another replica,
// or another leader, gave the second.
var errMoved = errors.New("the log dropped events, or has another leader, since a read of it began")

// Read reads a range of a room's log once, from who is asked to answer. It
// waits while ReadsAtOnce reads are under way, for history also while
// PagesAtOnce are for that. An error means that nobody
// answered, or not coherently.
func (l *Log) Read(ctx context.Context, room string, q follow.Range) (p follow.Page, err error) {
	if q.Upto <= q.After {
		return follow.Page{Op: q.Op, HighWatermark: q.Upto}, nil
	}
	if q.History {
		if err := take(ctx, l.pages); err != nil {
			return p, err
		}
		defer func() { <-l.pages }()
	}
	if err := l.acquire(ctx); err != nil {
		return p, err
	}
	defer l.release()
	if q.Newest > 0 && q.After == 0 {
		p, err = l.readBack(ctx, room, q)
	} else {
		p, err = l.readOnce(ctx, room, q)
	}
	p.Op = q.Op
	return p, err
}

// readBack looks for the newest events over ranges that grow, because the log
// can only be read forward.
func (l *Log) readBack(ctx context.Context, room string, q follow.Range) (p follow.Page, err error) {
	for width := uint64(q.Newest); ; width *= 8 {
		part := q
		part.After = q.Upto - min(width, q.Upto)
		p, err = l.readOnce(ctx, room, part)
		p.Start, p.StartTime, p.ContiguousFrom = false, "", 0 // they are about part.After
		switch {
		case err != nil, part.After == 0, p.HighWatermark < q.Upto:
			return p, err
		case p.Cut, len(p.Events) >= q.Newest:
			p.Cut = true // for all that is known
			return p, nil
		}
	}
}

func (l *Log) readOnce(ctx context.Context, room string, q follow.Range) (follow.Page, error) {
	if q.From == follow.Leader {
		return l.readLeader(ctx, room, q)
	}
	return l.readAny(ctx, room, q)
}

// readAny sends direct gets. A second one is needed when the first is full; it
// begins with the last event of the room that is known, which must be there, or
// the two do not join up.
func (l *Log) readAny(ctx context.Context, room string, q follow.Range) (follow.Page, error) {
	c := newCollector(room, q)
	whole := q.Upto-q.After <= MaxUnfiltered
	for from := max(q.After, 1); ; {
		req := directRequest{Seq: from, MaxBytes: min(readBytes, c.q.Bytes+MaxEventBytes)}
		if whole {
			req.Batch = int(q.Upto-from) + 2 // one more shows that the replica is past Upto
		} else {
			req.Batch, req.NextBySub = readBatch, wire.EventSubject(room)
		}
		answer, err := l.directGet(ctx, req)
		if err != nil {
			return c.page, err
		}
		if whole {
			c.page.ContiguousFrom = wholeFrom(answer.list, c.token, q)
		}
		if !c.take(answer, from) {
			return c.page, errMoved
		}
		if c.full || !answer.more || answer.last >= q.Upto {
			c.finish(answer)
			return c.page, nil
		}
		if next := max(c.last, q.After, 1); next == from && !whole {
			return c.page, fmt.Errorf("read the log of %q after %d: an answer holds one event and more: %w", room, from, errMoved)
		}
		from, whole = max(c.last, q.After, 1), false
	}
}

// readLeader reads one event at a time. The leader is asked for the state of
// the stream before and after: what lies in between is its own only if it is
// the same one.
func (l *Log) readLeader(ctx context.Context, room string, q follow.Range) (follow.Page, error) {
	c := newCollector(room, q)
	before, err := l.info(ctx)
	if err != nil {
		return c.page, err
	}
	for from := max(q.After, 1); from <= q.Upto && !c.full; {
		msg, err := l.leaderGet(ctx, leaderRequest{Seq: from, NextBySub: wire.EventSubject(room)})
		if err != nil {
			return c.page, err
		}
		if msg == nil {
			break
		}
		c.add(stored{msg.event(), c.token})
		from = msg.Seq + 1
	}
	after, err := l.info(ctx)
	if err != nil {
		return c.page, err
	}
	if after.Epoch != before.Epoch || after.leader() != before.leader() || after.Last < before.Last {
		return c.page, errMoved
	}
	c.page.HighWatermark = max(c.page.HighWatermark, before.Last)
	c.clip()
	return c.page, nil
}

// collector gathers what answers have of one room.
type collector struct {
	// fixed
	token string
	q     follow.Range

	page  follow.Page
	bytes int    // of the page's bodies
	last  uint64 // the newest event of the room so far, After included; 0: none
	full  bool   // as many as were to be read
}

func newCollector(room string, q follow.Range) collector {
	q.Bytes = cmp.Or(q.Bytes, MaxPageBytes)
	return collector{token: wire.RoomToken(room), q: q}
}

// take adds an answer to a request from `from`; false: it does not go on from
// what is there.
func (c *collector) take(answer directAnswer, from uint64) bool {
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

func (c *collector) add(s stored) {
	c.page.HighWatermark = max(c.page.HighWatermark, s.Seq)
	switch {
	case s.token != c.token || s.Seq > c.q.Upto || c.full:
		return
	case s.Seq == c.q.After:
		c.page.Start, c.page.StartTime = true, s.Time
	case c.q.All && c.tooMuch(s):
		c.full, c.page.Cut, c.page.Events = true, true, nil
		return
	case c.q.Newest == 0 && len(c.page.Events) > 0 && (len(c.page.Events) == MaxPage || c.bytes+len(s.Body) > c.q.Bytes):
		c.full, c.page.Cut = true, true
		return
	default:
		c.page.Events = append(c.page.Events, s.Event)
		c.bytes += len(s.Body)
		if c.q.Newest > 0 && (len(c.page.Events) == 2*c.q.Newest || c.bytes > 2*c.q.Bytes) {
			c.clip()
		}
	}
	c.last = s.Seq
}

// tooMuch reports whether the page is more than is wanted with one more event.
func (c *collector) tooMuch(s stored) bool {
	return len(c.page.Events) == c.q.Newest || c.bytes+len(s.Body) > c.q.Bytes
}

// clip keeps the newest ones. It is done when there are twice as many, or twice
// the bytes, so that a long range takes little memory and little copying.
func (c *collector) clip() {
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

// finish takes what the end of an answer says of the replica.
func (c *collector) finish(answer directAnswer) {
	c.clip()
	if answer.more {
		c.page.HighWatermark = max(c.page.HighWatermark, answer.last+1)
	}
	if c.page.HighWatermark < c.q.Upto {
		c.page.ContiguousFrom = 0
	}
}

// wholeFrom is the lowest sequence from which the list has every sequence up to
// its first event of the room after q.After, or up to q.Upto.
func wholeFrom(list []stored, token string, q follow.Range) uint64 {
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
