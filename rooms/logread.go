package rooms

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// How the log is read: an unfiltered range costs 0.4 ms per 100 messages, a
// scan for one room among thousands 4 to 46 ms and it blocks appends. So short
// ranges are read whole and filtered here, and few reads run at a time.
const (
	unfilteredRange = 1000 // sequences
	readBatch       = 500  // messages per request
	readBytes       = 4 << 20
	readsAtOnce     = 4
	repairPage      = 1000 // events of a hole that are read before they are delivered
)

// logPage is a part of a room's log, oldest first.
type logPage struct {
	events []stored
	// reaches says that nothing between the start of the range and the first
	// event has been discarded.
	reaches bool
	// cut says that the range has more than was to be read.
	cut bool
}

// endsAt reports whether the newest event is seq.
func (p logPage) endsAt(seq uint64) bool {
	return len(p.events) > 0 && p.events[len(p.events)-1].seq == seq
}

// logReader reads the stream beside the rooms, a few reads at a time.
type logReader struct {
	// fixed after start
	nc      *nats.Conn
	stream  jetstream.Stream
	history int64 // events kept per room
	slots   chan struct{}
}

func newLogReader(nc *nats.Conn, stream jetstream.Stream, history int64) *logReader {
	return &logReader{nc: nc, stream: stream, history: history, slots: make(chan struct{}, readsAtOnce)}
}

// read returns the room's events after `after` up to and including `upto`; the
// oldest repairPage of them if there are more.
func (l *logReader) read(ctx context.Context, room string, after, upto uint64) (page logPage, err error) {
	return l.page(ctx, room, after, upto, func(page *logPage, s stored) bool {
		page.cut = len(page.events) == repairPage
		if !page.cut {
			page.events = append(page.events, s)
		}
		return !page.cut
	})
}

// readTail returns the same range; the newest n if there are more.
func (l *logReader) readTail(ctx context.Context, room string, after, upto uint64, n int) (page logPage, err error) {
	page, err = l.page(ctx, room, after, upto, keepNewest(n))
	page.clip(n)
	return page, err
}

// page reads a range and whether the log reaches back to its start.
func (l *logReader) page(ctx context.Context, room string, after, upto uint64, take func(*logPage, stored) bool) (page logPage, err error) {
	if upto <= after {
		return logPage{reaches: true}, nil
	}
	if err := l.acquire(ctx); err != nil {
		return logPage{}, err
	}
	defer l.release()
	page.reaches, err = l.scan(ctx, room, after, upto, func(s stored) bool { return take(&page, s) })
	if err == nil && !page.reaches {
		page.reaches, err = l.complete(ctx, room, after)
	}
	return page, err
}

// newest returns up to n of the room's events before `before`; fewer only when
// the log has no more. It looks back over ranges that grow, because the log
// can only be read forward.
func (l *logReader) newest(ctx context.Context, room string, before uint64, n int) (logPage, error) {
	if err := l.acquire(ctx); err != nil {
		return logPage{}, err
	}
	defer l.release()
	for width := uint64(n); before > 1; width *= 8 {
		after := before - 1 - min(width, before-1)
		var page logPage
		take := keepNewest(n)
		_, err := l.scan(ctx, room, after, before-1, func(s stored) bool { return take(&page, s) })
		if err != nil || len(page.events) >= n || after == 0 {
			page.clip(n)
			return page, err
		}
	}
	return logPage{}, nil
}

// keepNewest keeps between n and 2n events, so that a long range takes little
// memory and little copying.
func keepNewest(n int) func(*logPage, stored) bool {
	return func(page *logPage, s stored) bool {
		if len(page.events) == 2*n {
			page.clip(n)
		}
		page.events = append(page.events, s)
		return true
	}
}

func (p *logPage) clip(n int) {
	if extra := len(p.events) - n; extra > 0 {
		kept := copy(p.events, p.events[extra:])
		clear(p.events[kept:])
		p.events, p.cut = p.events[:kept], true
	}
}

func (l *logReader) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *logReader) release() { <-l.slots }

// scan calls take for each of the room's events after `after` up to `upto`,
// until it returns false. It begins with `after` itself: while the log still
// has that event of the room, nothing later is gone.
func (l *logReader) scan(ctx context.Context, room string, after, upto uint64, take func(stored) bool) (reaches bool, err error) {
	token := wire.RoomToken(room)
	req := directRequest{MaxBytes: readBytes}
	if upto-after > unfilteredRange {
		req.NextBySub = wire.EventSubject(room)
	}
	for from, more := max(after, 1), true; more && from <= upto; {
		req.Seq, req.Batch = from, int(min(readBatch, upto-from+1))
		answer, err := l.request(ctx, req)
		if err != nil {
			return false, err
		}
		for _, s := range answer.list {
			switch {
			case s.token != token || s.seq > upto:
			case s.seq == after:
				reaches = true
			case !take(s):
				return reaches, nil
			}
		}
		more = answer.more && answer.last >= from
		from = answer.last + 1
	}
	return reaches, nil
}

// tokens returns the tokens of all rooms that have events after `after` up to
// `upto`, a range to be read whole.
func (l *logReader) tokens(ctx context.Context, after, upto uint64) (map[string]bool, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	defer l.release()
	tokens := make(map[string]bool)
	for from, more := after+1, true; more && from <= upto; {
		answer, err := l.request(ctx, directRequest{MaxBytes: readBytes, Seq: from, Batch: int(min(readBatch, upto-from+1))})
		if err != nil {
			return nil, err
		}
		for _, s := range answer.list {
			tokens[s.token] = true
		}
		more = answer.more && answer.last >= from
		from = answer.last + 1
	}
	return tokens, nil
}

// complete reports whether the log has all of the room's events after `after`:
// the stream's own limits have cut nothing after it, and the room has never
// reached its limit. It may say no of a log that is complete.
func (l *logReader) complete(ctx context.Context, room string, after uint64) (yes bool, err error) {
	subject := wire.EventSubject(room)
	err = l.again(ctx, func(ctx context.Context) error {
		info, err := l.stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return fmt.Errorf("ask for the state of the stream %s: %w", StreamName, err)
		}
		yes = info.State.FirstSeq <= after+1 && int64(info.State.Subjects[subject]) < l.history
		return nil
	})
	return yes, err
}

// request sends one direct get, tried until ctx ends.
func (l *logReader) request(ctx context.Context, req directRequest) (answer directAnswer, err error) {
	err = l.again(ctx, func(ctx context.Context) error {
		answer, err = directGet(ctx, l.nc, req)
		return err
	})
	return answer, err
}

// again calls fn until it succeeds, with a pause that grows; it gives up when
// ctx ends, with fn's last error.
func (l *logReader) again(ctx context.Context, fn func(ctx context.Context) error) error {
	pause := 50 * time.Millisecond
	for {
		attempt, cancel := context.WithTimeout(ctx, requestTimeout)
		err := fn(attempt)
		cancel()
		if err == nil || ctx.Err() != nil || l.nc.IsClosed() {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
		pause = min(2*pause, requestTimeout)
	}
}
