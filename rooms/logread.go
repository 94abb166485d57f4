package rooms

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

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
)

// logPage is a part of a room's log, oldest first.
type logPage struct {
	events []stored
	// reaches says that nothing between the start of the page and its first
	// event has been discarded.
	reaches bool
}

// logReader reads the stream beside the rooms, a few reads at a time.
type logReader struct {
	// fixed after start
	nc      *nats.Conn
	history int64 // events kept per room
	slots   chan struct{}
}

func newLogReader(nc *nats.Conn, history int64) *logReader {
	return &logReader{nc: nc, history: history, slots: make(chan struct{}, readsAtOnce)}
}

// read returns the room's events after `after` up to and including `upto`.
func (l *logReader) read(ctx context.Context, room string, after, upto uint64) (logPage, error) {
	if err := l.acquire(ctx); err != nil {
		return logPage{}, err
	}
	defer l.release()
	return l.readRange(ctx, room, after, upto)
}

// newest returns up to n of the room's events before `before`. It looks back
// over ranges that grow, because the log can only be read forward.
func (l *logReader) newest(ctx context.Context, room string, before uint64, n int) (logPage, error) {
	if err := l.acquire(ctx); err != nil {
		return logPage{}, err
	}
	defer l.release()
	if before <= 1 {
		return logPage{reaches: true}, nil
	}
	for width := uint64(n); ; width *= 8 {
		after := before - 1 - min(width, before-1)
		page, err := l.readRange(ctx, room, after, before-1)
		if err != nil || len(page.events) >= n || after == 0 {
			if extra := len(page.events) - n; extra > 0 {
				page.events = page.events[extra:]
			}
			page.reaches = page.reaches && after == 0 && len(page.events) < n
			return page, err
		}
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

func (l *logReader) readRange(ctx context.Context, room string, after, upto uint64) (logPage, error) {
	var page logPage
	if upto <= after {
		page.reaches = true
		return page, nil
	}
	token := wire.RoomToken(room)
	req := directRequest{NextBySub: wire.EventSubject(room), MaxBytes: readBytes}
	unfiltered := upto-after <= unfilteredRange
	if unfiltered {
		req.NextBySub = ""
	}
	var first uint64 // that was there, of any room if unfiltered
	oursAt := false  // the log still has the room's event at `after`: nothing later is gone
	for from, more := max(after, 1), true; more && from <= upto; {
		var list []stored
		var err error
		req.Seq, req.Batch = from, int(min(readBatch, upto-from+1))
		if list, more, err = l.request(ctx, req); err != nil {
			return logPage{}, err
		}
		for _, s := range list {
			from = s.seq + 1
			if first == 0 {
				first = s.seq
			}
			switch {
			case s.token != token || s.seq > upto:
			case s.seq == after:
				oursAt = true
			default:
				page.events = append(page.events, s)
			}
		}
		more = more && len(list) > 0
	}
	var err error
	page.reaches = oursAt
	if !oursAt && int64(len(page.events)) < l.history {
		page.reaches, err = l.streamReaches(ctx, after, first, unfiltered)
	}
	return page, err
}

// streamReaches reports whether the stream still has everything after `after`.
// A room's own limit cannot have cut it then, because the caller found fewer
// events than that.
func (l *logReader) streamReaches(ctx context.Context, after, first uint64, unfiltered bool) (bool, error) {
	if unfiltered && first != 0 && first <= after+1 {
		return true, nil
	}
	list, _, err := l.request(ctx, directRequest{Seq: 1, Batch: 1})
	if err != nil || len(list) == 0 {
		return false, err
	}
	return list[0].seq <= after+1, nil
}

// request sends one direct get, tried until ctx ends.
func (l *logReader) request(ctx context.Context, req directRequest) (list []stored, more bool, err error) {
	err = l.again(ctx, func(ctx context.Context) error {
		list, more, err = directGet(ctx, l.nc, req)
		return err
	})
	return list, more, err
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
