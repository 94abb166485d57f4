package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Appender appends steps of tables without a goroutine for each: it publishes them
// and matches the acks. Its methods may be called from any goroutine.
type Appender struct {
	nc     *nats.Conn    // fixed, as prefix and wait are
	prefix string        // of the reply subjects for acks, with the dot
	wait   time.Duration // for an ack

	mu      sync.Mutex
	pending map[uint64]pendingAppend // by token of the reply subject
	next    uint64
	timer   *time.Timer // runs while something is pending
	closed  bool

	out outgoingStep
}

type pendingAppend struct {
	sent time.Time
	done func(seq uint64, err error)
}

// outgoingStep is the message that is used again for each step: the connection
// does not keep it.
type outgoingStep struct {
	mu       sync.Mutex // guards the fields below; not locked while another lock is held
	msg      nats.Msg
	prev, by []string // the values in its header
}

// sweepsPerWait is how often the appender looks for acks that have not come.
const sweepsPerWait = 4

// ErrNoAck is that nothing is known of an append: it may be stored or not.
var ErrNoAck = errors.New("the log did not answer in time")

// NewAppender returns an Appender that publishes on nc. The caller ends it with
// Close.
func NewAppender(nc *nats.Conn) (*Appender, error) {
	a := &Appender{nc: nc, prefix: nc.NewInbox() + ".", wait: RequestTimeout, pending: make(map[uint64]pendingAppend)}
	a.out.prev, a.out.by = make([]string, 1), make([]string, 1)
	a.out.msg.Header = nats.Header{hdrExpectedLast: a.out.prev, HeaderBy: a.out.by}
	a.timer = time.AfterFunc(time.Hour, a.sweep)
	a.timer.Stop()
	if _, err := nc.Subscribe(a.prefix+"*", a.onAck); err != nil {
		return nil, fmt.Errorf("subscribe for acks of steps: %w", err)
	}
	return a, nil
}

// Append publishes a step behind the one at prev, once, and calls done once with
// its sequence or with why it has none: a *WrongLastError is that the log has
// another one there, which may be this one, when it was sent before; ErrInProcess
// that it may be about to; ErrFull that it takes none; any other error, as ErrNoAck
// after RequestTimeout, says nothing. done runs on this goroutine or another and must not block. by is the
// step's HeaderBy; body must not change any more.
func (a *Appender) Append(room wire.Room, body []byte, by string, prev uint64, done func(seq uint64, err error)) {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		done(0, nats.ErrConnectionClosed)
		return
	}
	a.next++
	token := a.next
	if len(a.pending) == 0 {
		a.timer.Reset(a.wait / sweepsPerWait)
	}
	a.pending[token] = pendingAppend{time.Now(), done}
	a.mu.Unlock()
	if err := a.publish(wire.SpaceTables.Capture(room), token, body, by, prev); err != nil {
		if p, ok := a.take(token); ok {
			p.done(0, fmt.Errorf("append a step of %q: %w", room, err))
		}
	}
}

// AppendStep is Append and waits for its end, or for that of ctx.
func (a *Appender) AppendStep(ctx context.Context, room wire.Room, body []byte, by string, prev uint64) (seq uint64, err error) {
	type outcome struct {
		seq uint64
		err error
	}
	answer := make(chan outcome, 1)
	a.Append(room, body, by, prev, func(seq uint64, err error) { answer <- outcome{seq, err} })
	select {
	case o := <-answer:
		return o.seq, o.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (a *Appender) publish(subject string, token uint64, body []byte, by string, prev uint64) error {
	o := &a.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prev[0], o.by[0] = strconv.FormatUint(prev, 10), by
	o.msg.Subject, o.msg.Data = subject, body
	var space [64]byte
	o.msg.Reply = string(strconv.AppendUint(append(space[:0], a.prefix...), token, 36))
	return a.nc.PublishMsg(&o.msg)
}

func (a *Appender) take(token uint64) (p pendingAppend, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok = a.pending[token]
	delete(a.pending, token)
	return p, ok
}

// onAck runs on the subscription's goroutine.
func (a *Appender) onAck(msg *nats.Msg) {
	token, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, a.prefix), 36, 64)
	if err != nil {
		return // not one of ours
	}
	p, ok := a.take(token)
	if !ok {
		return // it came too late
	}
	if len(msg.Data) == 0 && msg.Header.Get(hdrStatus) == "503" {
		p.done(0, errNoResponders)
		return
	}
	p.done(stepAck(msg.Data))
}

// sweep gives up on acks that have not come. It runs on the timer's goroutine.
func (a *Appender) sweep() {
	var late []pendingAppend
	now := time.Now()
	a.mu.Lock()
	for token, p := range a.pending {
		if now.Sub(p.sent) >= a.wait {
			late = append(late, p)
			delete(a.pending, token)
		}
	}
	if len(a.pending) > 0 && !a.closed {
		a.timer.Reset(a.wait / sweepsPerWait)
	}
	a.mu.Unlock()
	for _, p := range late {
		p.done(0, ErrNoAck)
	}
}

// GiveUp ends what is pending with ErrNoAck: who should have answered has gone.
func (a *Appender) GiveUp() {
	a.mu.Lock()
	pending := a.pending
	a.pending = make(map[uint64]pendingAppend)
	a.mu.Unlock()
	for _, p := range pending {
		p.done(0, ErrNoAck)
	}
}

// Close ends what is pending with ErrNoAck, and further appends with
// nats.ErrConnectionClosed.
func (a *Appender) Close() {
	a.mu.Lock()
	a.closed = true
	a.timer.Stop()
	a.mu.Unlock()
	a.GiveUp()
}
