package rooms

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds that the tests go to.
const (
	UnfilteredRange = unfilteredRange
	RepairPage      = repairPage
	PublishPending  = publishPending
	PublishBytes    = publishBytes
	ChunkBytes      = chunkBytes
)

// PublishTimes shortens the publisher's deadline, attempt and retry.
func (c *Config) PublishTimes(deadline, attempt, retry time.Duration) {
	c.tuning.publish = publishTimes{deadline, attempt, retry}
}

// CheckEvery sets how often rooms are compared with the log, CheckAfterOpen
// when a room that was opened is.
func (c *Config) CheckEvery(d time.Duration)     { c.tuning.check = d }
func (c *Config) CheckAfterOpen(d time.Duration) { c.tuning.afterOpen = d }

// CheckRooms sets how many rooms are compared per interval.
func (c *Config) CheckRooms(n int) { c.tuning.checkRooms = n }

// Checks and Loads count looks at where the stream stands, and reads of older
// events.
func (e *Engine) Checks() int64 { return e.looks.checks.Load() }
func (e *Engine) Loads() int64  { return e.looks.loads.Load() }

// Queued reports how many messages wait in a room's mailbox.
func (e *Engine) Queued(room string) int {
	ref, ok := e.rooms.Lookup(room)
	if !ok {
		return 0
	}
	return ref.Len()
}

// LastSequences asks the log for the last sequence of each room, by token.
func (e *Engine) LastSequences(ctx context.Context, rooms []string) (map[string]uint64, error) {
	return lastSequences(ctx, e.nc, rooms)
}

// MultiLastBytes is about how much one answer to that holds.
const MultiLastBytes = multiLastBytes

// HeldEvents sets how many live copies a room holds while it reads the log.
func (c *Config) HeldEvents(n int) { c.tuning.held = n }

// LargeRooms sets from which size rooms tell less of their presence.
func (c *Config) LargeRooms(slow, count int) { c.tuning.slowAbove, c.tuning.countAbove = slow, count }

// Lose makes the engine lose the live copies for which f returns true, as NATS
// may lose them. f runs on one goroutine.
func (c *Config) Lose(f func(*nats.Msg) bool) { c.tuning.lose = f }

// Open reports how many rooms are open, their actors and their handles.
func (e *Engine) Open() (actors, handles int) { return e.rooms.Len(), len(e.handles.all()) }

// Subscriptions reports how many subscriptions the rooms' connection has.
func (e *Engine) Subscriptions() int { return e.nc.NumSubscriptions() }

// CheckSoon is what a reconnect or a slow consumer does.
func (e *Engine) CheckSoon() { e.checkSoon() }

// LoseConnection breaks the connection of the rooms; it reconnects.
func (e *Engine) LoseConnection() error { return e.nc.ForceReconnect() }

// Miss is what happens when a room's mailbox refuses a live copy.
func (e *Engine) Miss(room string) { e.handles.get(wire.RoomToken(room)).miss() }

// SlowConsumer is what nats.go calls when it drops copies.
func (e *Engine) SlowConsumer(subject string) {
	e.onAsyncError(e.nc, &nats.Subscription{Subject: subject}, nats.ErrSlowConsumer)
}

// Fanout is a room with members and no log, for the cost of a delivery.
type Fanout struct{ r *room }

func NewFanout(members []Member) *Fanout {
	f := &Fanout{&room{eng: &Engine{}, h: &handle{}, label: "x"}}
	f.r.eng.cfg = DefaultConfig()
	for _, m := range members {
		f.r.members.add(m)
	}
	return f
}

// Batch delivers the bodies as one batch of the log after seq.
func (f *Fanout) Batch(seq uint64, bodies [][]byte, logTime string) {
	f.r.out.begin()
	for i, body := range bodies {
		f.r.out.expect = len(bodies) - i
		f.r.deliver(seq+uint64(i)+1, body, logTime)
	}
	f.r.flush()
	f.r.out.end()
}

// Burst delivers an encoded burst.
func (f *Fanout) Burst(b *Burst) { f.r.deliverBurst(b, "") }

// Outbox shows how much memory the frames of one batch take.
type Outbox struct{ o outbox }

func (o *Outbox) Take(expect int, add func(add func(typ string, payload []byte))) (bytes int) {
	o.o.begin()
	o.o.expect = expect
	add(func(typ string, payload []byte) { o.o.add(eventOf(typ, payload)) })
	for _, chunk := range o.o.take().Frames {
		bytes += cap(chunk)
	}
	o.o.end()
	return bytes
}

func eventOf(typ string, payload []byte) wire.Event {
	return wire.Event{Type: typ, Room: "x", Seq: 1, Payload: payload}
}

// HoldReads makes every read of the log wait until release is called.
func (e *Engine) HoldReads() (release func()) {
	for range readsAtOnce {
		e.reader.slots <- struct{}{}
	}
	return func() {
		for range readsAtOnce {
			<-e.reader.slots
		}
	}
}

// PublisherOn makes a publisher without an engine, on a connection of the test.
func PublisherOn(nc *nats.Conn, stats *Stats, deadline, attempt, retry time.Duration) (*Publisher, error) {
	p, err := newPublisher(nc, stats, publishTimes{deadline, attempt, retry})
	return &Publisher{p}, err
}

// Publisher is the publisher of an engine.
type Publisher struct{ p *publisher }

func (p *Publisher) Send(room, id string, body []byte, done func(Stored, error)) {
	p.p.send(room, id, body, done)
}
func (p *Publisher) Drain(ctx context.Context) { p.p.drain(ctx) }
func (p *Publisher) Close()                    { p.p.close() }

// Ring is a room's recent events.
type Ring struct{ r ring }

func (r *Ring) Push(seq uint64, size int) { r.r.push(seq, make([]byte, size)) }
func (r *Ring) Prepend(seqs []uint64, floor uint64, bottom bool) {
	entries := make([]ringEntry, len(seqs))
	for i, seq := range seqs {
		entries[i] = ringEntry{seq, []byte{0}}
	}
	r.r.prepend(entries, floor, bottom)
}
func (r *Ring) Start(floor uint64)                { r.r.floor = floor }
func (r *Ring) Covers(seq uint64) bool            { return r.r.covers(seq) }
func (r *Ring) After(seq uint64) []uint64         { return ringSeqs(r.r.after(seq)) }
func (r *Ring) Tail(n int) []uint64               { return ringSeqs(r.r.tail(n)) }
func (r *Ring) Before(seq uint64, n int) []uint64 { return ringSeqs(r.r.before(seq, n)) }
func (r *Ring) Size() (events, bytes, capacity int) {
	return len(r.r.entries), r.r.bytes, cap(r.r.entries)
}

func ringSeqs(entries []ringEntry) []uint64 {
	seqs := make([]uint64, len(entries))
	for i, e := range entries {
		seqs[i] = e.seq
	}
	return seqs
}

// RingBytes bounds a ring.
const RingBytes = ringBytes

// Members is the set of a room's members.
type Members struct{ m members }

func (s *Members) Add(m Member)          { s.m.add(m) }
func (s *Members) Remove(id string) bool { return s.m.remove(id) }
func (s *Members) Has(id string) bool    { return s.m.has(id) }
func (s *Members) IDs() []string {
	ids := make([]string, len(s.m.list))
	for i, m := range s.m.list {
		ids[i] = m.ID()
	}
	return ids
}

// Heartbeats sets how often nodes say that they live; three missed ones end
// them.
func (c *Config) Heartbeats(every time.Duration) { c.tuning.heartbeat = every }

// Peers are the other nodes that this one knows of.
func (e *Engine) Peers() []string { return e.peers.names() }

// Kill ends the engine as kill -9 does: the others hear nothing of it.
func (e *Engine) Kill() {
	e.nc.Close()
	e.pubs.Close()
}

// GatherTime is how far apart bursts to that many members are.
var GatherTime = gatherTime

// WideAbove sets how many rooms have subscriptions of their own; negative: none.
func (c *Config) WideAbove(rooms int64) { c.tuning.wideAbove = rooms }

// WideRooms reports how many rooms share the wide subscriptions, and how many
// have their own.
func (e *Engine) WideRooms() (wide int, own int64) {
	e.subjects.mu.Lock()
	defer e.subjects.mu.Unlock()
	return e.subjects.used, e.subjects.own.Load()
}
