package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// PubAck says where an event is stored in its room's log.
type PubAck struct {
	Seq       uint64
	Duplicate bool // it was stored before, under the same message ID
}

// Limits of publishing.
const (
	// publishDeadline is how long a publish is retried with the same message ID
	// before it fails as unavailable; publishAttempt is how long one attempt
	// waits for its ack, publishRetry the delay before a refused one is
	// retried.
	publishDeadline = 15 * time.Second
	publishAttempt  = 2 * time.Second
	publishRetry    = 100 * time.Millisecond
	// MaxPending and MaxPendingBytes limit the unacknowledged publishes of a
	// Publisher; one more is refused with busy.
	MaxPending      = 1 << 16
	MaxPendingBytes = 32 << 20
)

// PublishStats are the counters of a Publisher. They may be read from any
// goroutine.
type PublishStats struct {
	Published          atomic.Int64 // acknowledged by the log
	PublishRetries     atomic.Int64 // sent again with the same message ID
	PublishRefused     atomic.Int64 // refused by the log with an error
	PublishBusy        atomic.Int64 // refused: too many unacknowledged
	PublishUnavailable atomic.Int64 // failed: not acknowledged in time
}

// Publisher publishes events to the stream on a connection of its own and
// matches the acks. Publishing never blocks; the order of one caller is kept
// unless a publish is retried. Its methods may be called from any goroutine.
type Publisher struct {
	// fixed after start
	nc       *nats.Conn
	prefix   string // of the reply subjects for acks, with the dot
	stats    *PublishStats
	times    PublishTimes
	maxBytes int // limit of bytes; 0: none

	counts [wire.Spaces]flowCounts

	mu      sync.Mutex
	pending map[uint64]*publish // by token of the reply subject
	bytes   int                 // of the pending bodies
	next    uint64
	timer   *time.Timer // runs while something is pending
	closed  bool
	empty   chan struct{} // set by Drain, closed when nothing is pending

	out outgoing
}

// outgoing is the message that a publisher reuses for each publish: the
// connection does not retain it.
type outgoing struct {
	mu     sync.Mutex // guards the fields below; not locked while another lock is held
	msg    nats.Msg
	header [4]nats.Header // by content: withID, withBy
	id, by []string       // the values in them
}

const (
	withID = 1 << iota
	withBy
)

func (o *outgoing) init() {
	o.id, o.by = make([]string, 1), make([]string, 1)
	o.header[withID] = nats.Header{nats.MsgIdHdr: o.id}
	o.header[withBy] = nats.Header{HeaderBy: o.by}
	o.header[withID|withBy] = nats.Header{nats.MsgIdHdr: o.id, HeaderBy: o.by}
}

func (o *outgoing) publish(nc *nats.Conn, pub *publish) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	with := 0
	if o.id[0] = pub.msgID; pub.msgID != "" {
		with |= withID
	}
	if o.by[0] = pub.by; pub.by != "" {
		with |= withBy
	}
	o.msg.Subject, o.msg.Reply, o.msg.Data, o.msg.Header = pub.subject, pub.reply, pub.body, o.header[with]
	return nc.PublishMsg(&o.msg)
}

// PublishTimes are how long a publish is retried with the same message ID
// before it fails as unavailable, how long one attempt waits for its ack, and
// the delay before a refused one is retried. 0 is the default: 15 s, 2 s, 100
// ms.
type PublishTimes struct{ Deadline, Attempt, Retry time.Duration }

// publish is one pending publish.
type publish struct {
	// fixed after start
	token          uint64
	space          wire.Space
	subject, reply string
	msgID          string // empty: it is retried only if it certainly was not stored
	by             string // of HeaderBy; empty: none
	body           []byte
	done           func(PubAck, error)
	firstSent      time.Time

	// guarded by the publisher's mu
	lastSent  time.Time // when the current attempt started; zero: refused, to be retried
	lastError error     // of the last refusal
}

// NewPublisher returns a Publisher that publishes on nc, which must not be used
// for anything else, as there are as many acks as events. maxBytes limits the
// unacknowledged bytes; 0: only MaxPending applies. The caller ends it with
// Drain and Close.
func NewPublisher(nc *nats.Conn, stats *PublishStats, times PublishTimes, maxBytes int64) (*Publisher, error) {
	times = PublishTimes{cmp.Or(times.Deadline, publishDeadline), cmp.Or(times.Attempt, publishAttempt), cmp.Or(times.Retry, publishRetry)}
	p := &Publisher{nc: nc, prefix: nc.NewInbox() + ".", stats: stats, times: times, maxBytes: int(maxBytes), pending: make(map[uint64]*publish)}
	p.out.init()
	p.timer = time.AfterFunc(time.Hour, p.resend)
	p.timer.Stop()
	if _, err := nc.Subscribe(p.prefix+"*", p.onAck); err != nil {
		return nil, fmt.Errorf("subscribe for publish acks: %w", err)
	}
	return p, nil
}

// Send publishes body to the room's log: the fourth station of a message, still
// on its sender's goroutine. Here it leaves the process. done is called once,
// on another goroutine or on this one, and must not block. An event without a
// message ID is retried only while it is certain that it was not stored. by, if
// not empty, is its HeaderBy.
func (p *Publisher) Send(room wire.Room, msgID, by string, body []byte, done func(PubAck, error)) {
	now := time.Now()
	pub := &publish{space: wire.SpaceOf(room), subject: wire.EventSubject(room), msgID: msgID, by: by, body: body, done: done, firstSent: now, lastSent: now}

	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		done(PubAck{}, wire.Errorf(wire.Unavailable, "this node is stopping; send again under the same id"))
		return
	}
	if len(p.pending) >= MaxPending || p.maxBytes > 0 && p.bytes+len(body) > p.maxBytes && len(p.pending) > 0 {
		p.mu.Unlock()
		p.stats.PublishBusy.Add(1)
		done(PubAck{}, wire.Errorf(wire.Busy, "too many events wait for the log; send again in a moment"))
		return
	}
	p.next++
	pub.token = p.next
	var space [64]byte
	pub.reply = string(strconv.AppendUint(append(space[:0], p.prefix...), pub.token, 36))
	if len(p.pending) == 0 {
		p.timer.Reset(p.times.Retry)
	}
	p.pending[pub.token] = pub
	p.bytes += len(body)
	p.mu.Unlock()

	if err := p.out.publish(p.nc, pub); err != nil {
		p.refused(pub.token, err)
	}
}

// refused marks a publish that certainly was not stored, to be retried.
func (p *Publisher) refused(token uint64, err error) {
	p.mu.Lock()
	pub := p.pending[token]
	if pub != nil {
		pub.lastSent, pub.lastError = time.Time{}, err
	}
	permanent := errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject)
	if permanent {
		p.remove(token)
	}
	p.mu.Unlock()
	if permanent && pub != nil {
		pub.done(PubAck{}, wire.Errorf(wire.BadPayload, "the log does not take this event: %v", err))
	}
}

// errCodeTooBig is JetStream's "message size exceeds maximum allowed".
const errCodeTooBig = 10054

// onAck runs on the subscription's goroutine.
func (p *Publisher) onAck(msg *nats.Msg) {
	token, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, p.prefix), 36, 64)
	if err != nil {
		return // not one of ours
	}
	if len(msg.Data) == 0 && msg.Header.Get(hdrStatus) == "503" {
		p.refused(token, errNoResponders)
		return
	}
	ack, err := parseAck(msg.Data)
	if err != nil {
		return // whether it is stored is unknown, as without an ack
	}
	if ack.Error != nil && ack.Error.ErrCode != errCodeTooBig {
		p.stats.PublishRefused.Add(1)
		p.refused(token, errors.New(ack.Error.Description))
		return
	}
	pub := p.takePending(token)
	switch {
	case pub == nil: // the ack of an earlier attempt
	case ack.Error != nil:
		pub.done(PubAck{}, wire.Errorf(wire.BadPayload, "the event is larger than %d bytes; send a smaller one", MaxEventBytes))
	default:
		p.stats.Published.Add(1)
		if !ack.Duplicate {
			p.counts[pub.space].acked.Add(1)
		}
		pub.done(PubAck{Seq: ack.Seq, Duplicate: ack.Duplicate}, nil)
	}
}

func (p *Publisher) takePending(token uint64) *publish {
	p.mu.Lock()
	defer p.mu.Unlock()
	pub := p.pending[token]
	p.remove(token)
	return pub
}

// remove is called with mu held.
func (p *Publisher) remove(token uint64) {
	if pub := p.pending[token]; pub != nil {
		p.bytes -= len(pub.body)
	}
	delete(p.pending, token)
	if p.empty != nil && len(p.pending) == 0 {
		close(p.empty)
		p.empty = nil
	}
}

// resend retries publishes that were refused or got no ack in time, oldest
// first, and fails those beyond the deadline. It runs on the timer's goroutine.
func (p *Publisher) resend() {
	again, expired := p.due(time.Now())
	for _, pub := range expired {
		p.stats.PublishUnavailable.Add(1)
		p.counts[pub.space].expired.Add(1)
		pub.done(PubAck{}, p.unavailable(pub))
	}
	for _, pub := range again {
		p.stats.PublishRetries.Add(1)
		if err := p.out.publish(p.nc, pub); err != nil {
			p.refused(pub.token, err)
		}
	}
}

// unavailable returns the error of a publish that is given up.
func (p *Publisher) unavailable(pub *publish) error {
	switch {
	case pub.msgID == "" && !pub.lastSent.IsZero():
		return wire.Errorf(wire.Unavailable, "the log did not say whether it stored the event, which has no id under which it could be tried again; look before you send it again")
	case pub.lastError != nil:
		return wire.Errorf(wire.Unavailable, "the event was not stored within %s (%v); send it again under the same id", p.times.Deadline, pub.lastError)
	}
	return wire.Errorf(wire.Unavailable, "the log did not answer within %s; send the event again under the same id", p.times.Deadline)
}

// due returns what to retry and, removed, what has expired, and resets the
// timer.
func (p *Publisher) due(now time.Time) (again, expired []*publish) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pub := range p.pending {
		late := !pub.lastSent.IsZero() && now.Sub(pub.lastSent) >= p.times.Attempt
		switch {
		case now.Sub(pub.firstSent) >= p.times.Deadline, late && pub.msgID == "":
			p.remove(pub.token)
			expired = append(expired, pub)
		case late, pub.lastSent.IsZero():
			pub.lastSent = now
			again = append(again, pub)
		}
	}
	slices.SortFunc(again, func(a, b *publish) int { return cmp.Compare(a.token, b.token) })
	if len(p.pending) > 0 {
		p.timer.Reset(p.times.Retry)
	}
	return again, expired
}

// ResendNow retries, when the timer fires next, all unacknowledged publishes
// with a message ID: the leader that should have acknowledged them has gone.
func (p *Publisher) ResendNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pub := range p.pending {
		if pub.msgID != "" {
			pub.lastSent = time.Time{}
		}
	}
}

// Drain refuses further publishes and waits until all pending ones are
// acknowledged, or ctx ends.
func (p *Publisher) Drain(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	if len(p.pending) == 0 {
		p.mu.Unlock()
		return
	}
	if p.empty == nil {
		p.empty = make(chan struct{})
	}
	empty := p.empty
	p.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// Close fails all pending publishes as unavailable, and refuses further ones.
func (p *Publisher) Close() {
	p.mu.Lock()
	pending := p.pending
	p.pending = nil
	p.closed = true
	p.timer.Stop()
	p.mu.Unlock()
	for _, pub := range pending {
		pub.done(PubAck{}, wire.Errorf(wire.Unavailable, "this node is stopping; send again under the same id"))
	}
}
