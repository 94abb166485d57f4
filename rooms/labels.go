package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// LabelBucket is the KV bucket of the rooms' labels.
	LabelBucket = "roomd_labels"
	// maxLabels is how many rooms may have a label, labelBytes how much memory
	// all labels may take in NATS and, roughly, in every node; one more is
	// refused with busy.
	maxLabels  = 1 << 14
	labelBytes = 16 << 20
	// labelQueue is the queue group in which one node handles a label that a
	// service publishes, labelsPending how many of them a node may be storing;
	// one more is refused with busy.
	labelQueue    = "roomd"
	labelsPending = 256
	// removedLabelTTL is how long the bucket keeps the mark of a removed label:
	// until every node has seen it.
	removedLabelTTL = 10 * time.Minute

	tooManyMessages jetstream.ErrorCode = 10077 // the server's, of a stream that discards new messages
)

// labels are the public labels of rooms, set by programs and services, and of
// tables by their rules. Every node follows the bucket and so has all of them.
type labels struct {
	// fixed after open
	eng    *Engine
	js     jetstream.JetStream
	cfg    eventlog.BucketConfig
	slots  chan struct{} // semaphore: one per label of a service that is being stored
	resync chan struct{} // asks for the bucket to be read again
	ready  chan struct{} // closed when the bucket was read for the first time
	once   sync.Once     // closes it

	mu     sync.RWMutex
	byRoom map[wire.Room]label
	tables int64     // those of tables in byRoom
	swept  time.Time // when byRoom was last swept
	reads  uint64    // of the whole bucket
}

// label is what is known of one room's label.
type label struct {
	text     json.RawMessage // nil: it was removed, or is about to be stored
	since    time.Time       // when text became nil
	revision uint64          // of the bucket
	lastRead uint64          // labels.reads when it was last found
}

// labelEntry is an entry of the bucket.
type labelEntry struct {
	Room  string          `json:"room"`
	Label json.RawMessage `json:"label"`
}

// open creates the bucket, reads it, and from then on accepts labels of
// services.
func (l *labels) open(ctx context.Context, e *Engine) (err error) {
	l.eng, l.byRoom = e, make(map[wire.Room]label)
	l.slots, l.resync, l.ready = make(chan struct{}, labelsPending), make(chan struct{}, 1), make(chan struct{})
	l.cfg = eventlog.BucketConfig{
		Name: LabelBucket, EntryTTL: true, MaxEntries: maxLabels, MaxBytes: labelBytes, Replicas: e.Replicas(), Memory: e.cfg.Memory,
	}
	if most := e.cfg.tuning.labels; most != 0 {
		l.cfg.MaxEntries = most
	}
	if _, err := eventlog.OpenBucket(ctx, e.nc, l.cfg); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	if l.js, err = jetstream.New(e.nc, jetstream.WithPublishAsyncTimeout(eventlog.RequestTimeout)); err != nil {
		return fmt.Errorf("rooms: open the bucket %s: %w", LabelBucket, err)
	}
	e.background(l.follow)
	select {
	case <-l.ready:
	case <-ctx.Done():
		return fmt.Errorf("rooms: read the bucket %s: %w", LabelBucket, ctx.Err())
	}
	if _, err := e.nc.QueueSubscribe(wire.AllLabels, labelQueue, l.onLabel); err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", wire.AllLabels, err)
	}
	return nil
}

// follow keeps byRoom in step with the bucket, until ctx ends.
func (l *labels) follow(ctx context.Context) {
	eventlog.BucketWatch{
		Open: func(ctx context.Context) (jetstream.KeyValue, error) {
			return eventlog.OpenBucket(ctx, l.eng.nc, l.cfg)
		},
		Reset:  l.onReset,
		Entry:  l.onEntry,
		Synced: l.onSynced,
		OnError: func(err error) {
			l.eng.cfg.Log.Warn().Err(err).Msg("the labels of the rooms cannot be followed; those that were known last are shown, and it is tried again")
		},
		Resync: l.resync,
	}.Follow(ctx, l.eng.nc)
}

// onReset is called before the bucket is read again. It may be a new one, whose
// revisions start again.
func (l *labels) onReset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	for room, known := range l.byRoom {
		known.revision = 0
		l.byRoom[room] = known
	}
}

// onSynced is called when the whole bucket has been read: a label that was not
// in it has been removed.
func (l *labels) onSynced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.once.Do(func() { close(l.ready) })
	for room, known := range l.byRoom {
		if known.lastRead != l.reads {
			l.drop(room)
		}
	}
}

func (l *labels) onEntry(kv jetstream.KeyValueEntry) {
	var e labelEntry
	err := json.Unmarshal(kv.Value(), &e)
	if err == nil && wire.RoomKey(e.Room) != kv.Key() {
		err = fmt.Errorf("it names the room %q", e.Room)
	}
	if err == nil {
		e.Label, err = wire.CleanLabel(e.Label)
	}
	if err != nil {
		l.eng.cfg.Log.Warn().Err(err).Str("key", kv.Key()).Msg("an entry of the bucket " + LabelBucket + " is no label and was passed over; who writes there?")
		return
	}
	if kv.Operation() != jetstream.KeyValuePut {
		e.Label = nil
	}
	l.apply(wire.Room(e.Room), e.Label, kv.Revision())
}

func (l *labels) apply(room wire.Room, text json.RawMessage, revision uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if revision > l.byRoom[room].revision {
		l.keep(room, label{text: text, revision: revision, lastRead: l.reads})
	}
}

// keep notes what is known of a room. mu is held, as in drop.
func (l *labels) keep(room wire.Room, known label) {
	if _, ok := l.byRoom[room]; !ok && l.eng.IsTable(room) {
		l.tables++
	}
	if known.text == nil {
		known.since = time.Now()
	}
	l.byRoom[room] = known
}

func (l *labels) drop(room wire.Room) {
	if l.eng.IsTable(room) {
		l.tables--
	}
	delete(l.byRoom, room)
}

// takePlace reports whether a table's label may be stored: tables have half of what
// there may be, so that there is always room for what programs and services set. A
// removed label has its place until its mark is gone.
func (l *labels) takePlace(room wire.Room) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.byRoom[room]; ok {
		return true
	}
	most := l.cfg.MaxEntries / 2
	if l.tables >= most && time.Since(l.swept) > time.Second {
		l.sweep()
	}
	if l.tables >= most {
		return false
	}
	l.keep(room, label{lastRead: l.reads}) // has its place while it is on its way
	return true
}

// sweep forgets removed labels whose marks are gone.
func (l *labels) sweep() {
	l.swept = time.Now()
	for room, known := range l.byRoom {
		if known.text == nil && l.swept.Sub(known.since) > removedLabelTTL {
			l.drop(room)
		}
	}
}

// all yields the rooms that have a label. It holds mu during the iteration.
func (l *labels) all() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		for room, known := range l.byRoom {
			if known.text != nil && !yield(string(room), known.text) {
				return
			}
		}
	}
}

// Label returns the room's label as this node knows it; nil: it has none.
func (e *Engine) Label(room wire.Room) json.RawMessage {
	e.labels.mu.RLock()
	defer e.labels.mu.RUnlock()
	return e.labels.byRoom[room].text
}

// SetLabel sets a room's public label, on all nodes: whoever may enter the room
// sees it in the lobby, even while the room is not open anywhere. label is any
// JSON value within the limits of wire.CleanLabel; nil, or null, removes it. It
// returns when the label is stored. Of two concurrent calls for one room the
// later one wins only if both are on the same node. An inbox has no label, and
// that of a table is made by its rules. Its errors are *wire.Error: bad_room, bad_payload, unavailable, and busy when too
// many rooms have one.
func (e *Engine) SetLabel(ctx context.Context, room wire.Room, label json.RawMessage) error {
	future, text, err := e.labels.publish(room, label, false)
	if err != nil {
		return err
	}
	return e.labels.awaitStored(ctx, room, text, future)
}

// publish starts storing a label; that of a table is made by its rules alone.
func (l *labels) publish(room wire.Room, raw []byte, byRules bool) (jetstream.PubAckFuture, json.RawMessage, error) {
	room, err := wire.ParseRoom(string(room))
	if err != nil {
		return nil, nil, err
	}
	if wire.SpaceOf(room) != wire.SpaceRooms {
		return nil, nil, wire.Errorf(wire.BadRoom, "an inbox has no label; it is its user's alone")
	}
	if !byRules && l.eng.IsTable(room) {
		return nil, nil, wire.Errorf(wire.BadRoom, "the rules of a table make its label")
	}
	text, err := wire.CleanLabel(raw)
	if err != nil {
		return nil, nil, err
	}
	body, err := json.Marshal(labelEntry{Room: string(room), Label: text})
	if err != nil {
		return nil, nil, fmt.Errorf("rooms: encode the label of %q: %w", room, err)
	}
	msg := &nats.Msg{Subject: "$KV." + LabelBucket + "." + wire.RoomKey(room), Data: body, Header: nats.Header{}}
	var opts []jetstream.PublishOpt
	if text == nil {
		msg.Header.Set("KV-Operation", "DEL")
		opts = append(opts, jetstream.WithMsgTTL(removedLabelTTL))
	}
	future, err := l.js.PublishMsgAsync(msg, opts...)
	if err != nil {
		return nil, nil, l.failed(room, err)
	}
	return future, text, nil
}

// awaitStored waits until a label is stored.
func (l *labels) awaitStored(ctx context.Context, room wire.Room, text json.RawMessage, future jetstream.PubAckFuture) error {
	select {
	case ack := <-future.Ok():
		l.eng.stats.LabelsSet.Add(1)
		l.apply(room, text, ack.Sequence)
		return nil
	case err := <-future.Err():
		return l.failed(room, err)
	case <-ctx.Done():
		return wire.Errorf(wire.Unavailable, "the label of %q was not stored in time; set it again", room)
	}
}

func (l *labels) failed(room wire.Room, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == tooManyMessages {
		return wire.Errorf(wire.Busy, "%d rooms, or %d bytes, of labels is all there may be; remove one that is not needed", l.cfg.MaxEntries, l.cfg.MaxBytes)
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
		select {
		case l.resync <- struct{}{}: // the bucket is made anew if it is gone
		default:
		}
	}
	if !l.eng.closed() {
		l.eng.cfg.Log.Warn().Err(err).Str("room", string(room)).Msg("a room's label could not be stored; who set it is told to try again")
	}
	return wire.Errorf(wire.Unavailable, "the label of %q could not be stored; set it again", room)
}

// onLabel handles a label that a service has published on room.<room>.label. It
// runs on its subscription's goroutine, so that the labels of one room keep
// their order.
func (l *labels) onLabel(msg *nats.Msg) {
	space, token, _ := wire.SubjectToken(msg.Subject)
	room, err := space.Room(token)
	if err == nil {
		select {
		case l.slots <- struct{}{}:
		default:
			err = wire.Errorf(wire.Busy, "%d labels are on their way already; set it again in a moment", labelsPending)
		}
	}
	if err != nil {
		l.answer(msg, room, err)
		return
	}
	future, text, err := l.publish(room, msg.Data, false)
	if err != nil {
		<-l.slots
		l.answer(msg, room, err)
		return
	}
	l.eng.background(func(ctx context.Context) {
		defer func() { <-l.slots }()
		ctx, cancel := context.WithTimeout(ctx, 2*eventlog.RequestTimeout)
		defer cancel()
		l.answer(msg, room, l.awaitStored(ctx, room, text, future))
	})
}

// answer tells a service whether its label was stored: in the events that
// clients get or, if it did not ask for a reply, on room.<room>.rejected.
func (l *labels) answer(msg *nats.Msg, room wire.Room, err error) {
	ev := wire.Event{Type: wire.TypeAck, Room: string(room), Payload: wire.MarshalPayload(wire.Ack{})}
	if err != nil {
		l.eng.stats.LabelsRefused.Add(1)
		shown := wire.AsError(err)
		ev.Type = wire.TypeError
		ev.Payload = wire.MarshalPayload(wire.ErrorInfo{Code: shown.Code, Message: shown.Message, Retryable: shown.Code.Retryable()})
	}
	out := &nats.Msg{Subject: msg.Reply, Data: wire.AppendEvent(nil, ev)}
	if msg.Reply == "" {
		if err == nil {
			return
		}
		l.eng.cfg.Log.Warn().Str("subject", msg.Subject).AnErr("reason", err).Msg("a room's label was refused")
		_, token, _ := wire.SubjectToken(msg.Subject)
		out = &nats.Msg{Subject: wire.SpaceRooms.Rejected(token), Data: msg.Data, Header: nats.Header{HeaderReason: []string{err.Error()}}}
	}
	if err := l.eng.nc.PublishMsg(out); err != nil && !l.eng.closed() {
		l.eng.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("it could not be told what became of a room's label")
	}
}
