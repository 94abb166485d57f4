package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The nodes note in a bucket which tables have something to do although nobody is
// there, so that one is looked after again when its node was lost, and which ones
// have stopped, so that no other node goes on where their rules failed.
const (
	// TableBucket is the KV bucket of these notes.
	TableBucket = "roomd_tables"

	maxNotes  = 1 << 17  // tables in it; one more is not noted, and counted
	noteBytes = 64 << 20 // what they may take
	// removedNoteTTL is how long the bucket keeps the mark of a removed note.
	removedNoteTTL = 10 * time.Minute
	// notesInterval is how often, in heartbeats, each node reads it.
	notesInterval = 2

	busyNote    = "busy."
	stoppedNote = "stopped."
)

// tableNote is an entry of the bucket.
type tableNote struct {
	Room    wire.Room `json:"room"`
	Node    string    `json:"node"`
	At      int64     `json:"at"`                // ms since 1970
	Version int       `json:"version,omitempty"` // of the rules that failed
	Step    uint64    `json:"step,omitempty"`    // the last one when they did; 0: it was not loaded
	Reason  string    `json:"reason,omitempty"`
}

// tableNotes is the bucket as a node sees it.
type tableNotes struct {
	eng     *Engine // fixed after open
	js      jetstream.JetStream
	kv      jetstream.KeyValue
	lookNow chan struct{} // asks for the bucket to be read

	last      map[wire.Room]int // what had stopped, at the last read; owned by run
	created   time.Time         // the bucket; owned by run
	snapshots time.Time         // when their stream was created; owned by run

	stopped atomic.Int64 // tables that have stopped, when it was last read
	busy    atomic.Int64 // tables that have something to do, likewise
}

func (n *tableNotes) open(ctx context.Context, e *Engine) (err error) {
	n.eng, n.lookNow = e, make(chan struct{}, 1)
	n.kv, err = n.openBucket(ctx)
	if err == nil {
		n.js, err = jetstream.New(e.nc)
	}
	if err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	return nil
}

func (n *tableNotes) openBucket(ctx context.Context) (jetstream.KeyValue, error) {
	return eventlog.OpenBucket(ctx, n.eng.nc, eventlog.BucketConfig{
		Name: TableBucket, EntryTTL: true, MaxEntries: maxNotes, MaxBytes: noteBytes, Replicas: n.eng.Replicas(), Memory: n.eng.cfg.Memory,
	})
}

// look asks for the bucket to be read soon: a node may have been lost, or a table
// have stopped. Without tables there is none.
func (n *tableNotes) look() {
	select {
	case n.lookNow <- struct{}{}:
	default: // already requested
	}
}

// run reads the bucket when it is asked to, and every notesInterval: a table whose
// owner could not be started is found again.
func (n *tableNotes) run(ctx context.Context) {
	tick := time.NewTicker(notesInterval * n.eng.cfg.tuning.heartbeat)
	defer tick.Stop()
	for {
		if err := errors.Join(n.restore(ctx), n.read(ctx)); err != nil && ctx.Err() == nil {
			n.eng.warnUnlessUnready().Err(err).Msg("it cannot be read which tables have something to do; trying again")
		}
		select {
		case <-tick.C:
		case <-n.lookNow:
		case <-ctx.Done():
			return
		}
	}
}

// read wakes the owners, of those that this node is to decide for, whose tables
// have something to do.
func (n *tableNotes) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.eng.cfg.tuning.open)
	defer cancel()
	entries, err := eventlog.Entries(ctx, n.kv)
	if err != nil {
		return err
	}
	stopped := make(map[wire.Room]int)
	var busy []jetstream.KeyValueEntry
	for _, entry := range entries {
		note, err := readNote(entry)
		switch {
		case err != nil:
			n.eng.cfg.Log.Warn().Err(err).Str("key", entry.Key()).Msg("an entry of the bucket " + TableBucket + " is no note and was passed over; who writes there?")
		case entry.Key() == stoppedNote+wire.RoomKey(note.Room):
			stopped[note.Room] = note.Version
		default:
			busy = append(busy, entry)
		}
	}
	n.stopped.Store(int64(len(stopped)))
	n.busy.Store(int64(len(busy)))
	for room := range n.last {
		if _, is := stopped[room]; !is {
			n.eng.resumeOwner(room)
		}
	}
	n.last = stopped
	for _, entry := range busy {
		note, err := readNote(entry)
		if err != nil {
			continue // it is reported
		}
		game := n.eng.gameOf(note.Room)
		version, isStopped := stopped[note.Room]
		if game == nil || isStopped && game.Version() <= version || n.eng.ownerOf(note.Room, nil) != n.eng.cfg.Node {
			continue
		}
		_ = n.eng.owners.Send(string(note.Room), foundBusy{entry.Revision()}) // a full one has something to do
	}
	return nil
}

func readNote(entry jetstream.KeyValueEntry) (note tableNote, err error) {
	if err = json.Unmarshal(entry.Value(), &note); err == nil {
		if key := wire.RoomKey(note.Room); entry.Key() != busyNote+key && entry.Key() != stoppedNote+key {
			err = fmt.Errorf("it names the room %q", note.Room)
		}
	}
	return note, err
}

// put writes a note and returns its revision.
func (n *tableNotes) put(ctx context.Context, kind string, note tableNote) (revision uint64, err error) {
	note.Node, note.At = n.eng.cfg.Node, time.Now().UnixMilli()
	body, err := json.Marshal(note)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	if revision, err = n.kv.Put(ctx, kind+wire.RoomKey(note.Room), body); err != nil {
		n.eng.tableStats.NotNoted.Add(1)
		return 0, fmt.Errorf("rooms: note in the bucket %s that the table %q is %s: %w", TableBucket, note.Room, kind[:len(kind)-1], err)
	}
	return revision, nil
}

// remove removes a note, unless it was written again since that revision.
func (n *tableNotes) remove(ctx context.Context, kind string, room wire.Room, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	msg := &nats.Msg{Subject: "$KV." + TableBucket + "." + kind + wire.RoomKey(room), Header: nats.Header{"KV-Operation": {"DEL"}}}
	_, err := n.js.PublishMsg(ctx, msg, jetstream.WithMsgTTL(removedNoteTTL), jetstream.WithExpectLastSequencePerSubject(revision))
	if err = eventlog.WrongLast(err); err != nil && !errors.Is(err, eventlog.ErrWrongLast) {
		return fmt.Errorf("rooms: remove from the bucket %s that the table %q is %s: %w", TableBucket, room, kind[:len(kind)-1], err)
	}
	return nil
}

// stoppedAt is the note that a table has stopped; revision is 0 if it has not.
func (n *tableNotes) stoppedAt(ctx context.Context, room wire.Room) (note tableNote, revision uint64, err error) {
	entry, err := n.kv.Get(ctx, stoppedNote+wire.RoomKey(room))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return note, 0, nil
	}
	if err != nil {
		return note, 0, fmt.Errorf("rooms: ask whether the table %q has stopped: %w", room, err)
	}
	note, err = readNote(entry)
	if err != nil {
		return note, 0, fmt.Errorf("rooms: read that the table %q has stopped: %w", room, err)
	}
	return note, entry.Revision(), nil
}

// TablesStopped returns how many tables of all nodes stand still because their
// rules failed, as of the last look at the notes, and TablesBusy how many have
// something to do although nobody may be there.
func (e *Engine) TablesStopped() int64 { return e.notes.stopped.Load() }
func (e *Engine) TablesBusy() int64    { return e.notes.busy.Load() }

// TableLoads returns how long tables took to load.
func (e *Engine) TableLoads() *Histogram { return &e.tableLoads }
