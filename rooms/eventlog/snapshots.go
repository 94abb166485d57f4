package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// SnapshotsStream holds the last SnapshotsKept snapshots of each table.
const SnapshotsStream = "SNAPSHOTS"

// Bounds of snapshots.
const (
	SnapshotsKept = 2
	// MaxSnapshotState is the largest that is stored, in bytes before it is
	// compressed. What has more than snapshotPart bytes after that is stored in
	// as many messages as it takes.
	MaxSnapshotState = 64 << 20

	snapshotPart  = 768 << 10
	snapshotSlots = SnapshotsKept + 1 // so that the parts of the kept ones stay while a further one is written

	hdrSnapshot     = "Roomd-Snapshot"
	hdrExpectedLast = "Nats-Expected-Last-Subject-Sequence"
)

// ErrSnapshotDamaged is that a snapshot is not what was stored, or is not all
// there.
var ErrSnapshotDamaged = errors.New("the snapshot is damaged")

// Snapshots keeps tables as they were after one of their steps.
type Snapshots struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	sealer Sealer
	cfg    jetstream.StreamConfig
}

// Sealer makes of a snapshot what only nodes can read, and the snapshot of that
// again. Its methods may be called from any goroutine.
type Sealer interface {
	Seal(room wire.Room, plain []byte) []byte
	Open(room wire.Room, sealed []byte) ([]byte, error)
}

// Snapshot is what is said of a snapshot, sealed with its data.
type Snapshot struct {
	Epoch string `json:"epoch"` // of the log of steps when it was written: nodes of earlier versions compare it
	Step  uint64 `json:"step"`  // the last one that is in it
	Sum   string `json:"sum"`   // of that step's body: see Sum
	Count uint64 `json:"count"` // steps that the table has had, this one included
	Marks []Mark `json:"marks,omitempty"`
	At    int64  `json:"at"` // when it was written, ms since 1970, by the clock of who wrote it
}

// SnapshotRef says where a snapshot is stored.
type SnapshotRef struct {
	Seq   uint64   `json:"-"`               // of its message
	Prev  uint64   `json:"prev,omitempty"`  // of the message of the one before; 0: there was none
	Slot  int      `json:"slot,omitempty"`  // of its parts
	Parts []uint64 `json:"parts,omitempty"` // their sequences; none: all is in the message itself

	body []byte // of the message
}

// Mark says where one of a table's steps lies: the Count-th has the sequence
// Step, and was stored at the time At, in ms since 1970.
type Mark struct {
	Count uint64 `json:"n"`
	Step  uint64 `json:"s"`
	At    int64  `json:"t"`
}

// Sum is how a snapshot says which bytes are meant.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// OpenSnapshots opens the stream; it is created when there is none. maxBytes
// bounds it: beyond that no snapshot is taken. wait bounds a request of which the
// caller's context does not say how long it may take: a snapshot is read by as many as
// it has parts.
func OpenSnapshots(ctx context.Context, nc *nats.Conn, memory bool, replicas int, maxBytes int64, wait time.Duration, sealer Sealer) (*Snapshots, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		return nil, fmt.Errorf("eventlog: JetStream: %w", err)
	}
	cfg := jetstream.StreamConfig{
		Name: SnapshotsStream, Description: "tables as they were after one of their steps", Subjects: []string{wire.AllSnapshots, wire.AllSnapshotParts},
		Storage: jetstream.FileStorage, Replicas: replicas, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: SnapshotsKept, MaxBytes: maxBytes,
		DenyDelete: true, DenyPurge: true,
	}
	if memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	s := &Snapshots{js: js, sealer: sealer, cfg: cfg}
	err = RetryUntilReady(ctx, func(ctx context.Context) (err error) {
		s.stream, err = js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("eventlog: open the stream %s: %w", SnapshotsStream, err)
	}
	return s, nil
}

// Restore creates the stream again if it is gone, and returns when the one that
// there is was created.
func (s *Snapshots) Restore(ctx context.Context) (created time.Time, err error) {
	stream, err := s.js.Stream(ctx, SnapshotsStream)
	if IsStreamNotFound(err) {
		if stream, err = s.js.CreateStream(ctx, s.cfg); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = s.js.Stream(ctx, SnapshotsStream) // another node created it just now
		}
	}
	if err != nil {
		return created, fmt.Errorf("eventlog: look whether there is the stream %s: %w", SnapshotsStream, err)
	}
	return stream.CachedInfo().Created, nil
}

// Save stores a table's snapshot behind the one before (nil: there is none), and
// returns where it is. ErrWrongLast is that there is a later one. It reads back
// what it has written.
func (s *Snapshots) Save(ctx context.Context, room wire.Room, prev *SnapshotRef, info Snapshot, data []byte) (*SnapshotRef, error) {
	ref, err := s.save(ctx, room, prev, info, data)
	if err == nil {
		var back []byte
		if _, back, err = s.Read(ctx, room, ref); err == nil && !bytes.Equal(back, data) {
			err = fmt.Errorf("read back: %w", ErrSnapshotDamaged)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("eventlog: save the snapshot of %q at step %d: %w", room, info.Step, err)
	}
	return ref, nil
}

func (s *Snapshots) save(ctx context.Context, room wire.Room, prev *SnapshotRef, info Snapshot, data []byte) (*SnapshotRef, error) {
	if len(data) > MaxSnapshotState {
		return nil, fmt.Errorf("it has %d bytes, and may have %d", len(data), MaxSnapshotState)
	}
	packed, err := pack(info, data)
	if err != nil {
		return nil, err
	}
	sealed := s.sealer.Seal(room, packed) // after it was compressed: what is sealed cannot be
	ref := SnapshotRef{}
	if prev != nil {
		ref.Prev, ref.Slot = prev.Seq, (prev.Slot+1)%snapshotSlots
	}
	if len(sealed) > snapshotPart {
		if ref.Parts, err = s.saveParts(ctx, room, ref.Slot, sealed); err != nil {
			return nil, err
		}
		sealed = nil
	}
	header, err := json.Marshal(ref)
	if err != nil {
		return nil, err
	}
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: wire.SnapshotSubject(room), Data: sealed, Header: nats.Header{
		hdrSnapshot: {string(header)}, hdrExpectedLast: {strconv.FormatUint(ref.Prev, 10)},
	}})
	if err != nil {
		return nil, WrongLast(err)
	}
	return s.at(ctx, ack.Sequence)
}

func (s *Snapshots) saveParts(ctx context.Context, room wire.Room, slot int, packed []byte) (parts []uint64, err error) {
	for i := 0; len(packed) > 0; i++ {
		n := min(len(packed), snapshotPart)
		ack, err := s.js.Publish(ctx, wire.SnapshotPartSubject(room, slot, i), packed[:n])
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		parts, packed = append(parts, ack.Sequence), packed[n:]
	}
	return parts, nil
}

// Last returns where a table's snapshots are, the newest first, as the stream's
// leader has them.
func (s *Snapshots) Last(ctx context.Context, room wire.Room) (list []*SnapshotRef, err error) {
	msg, err := s.stream.GetLastMsgForSubject(ctx, wire.SnapshotSubject(room))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventlog: look for the snapshots of %q: %w", room, err)
	}
	newest := refOf(msg)
	if list = append(list, newest); newest.Prev == 0 {
		return list, nil
	}
	before, err := s.at(ctx, newest.Prev)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventlog: look for the snapshot of %q before its last: %w", room, err)
	}
	return append(list, before), nil
}

func (s *Snapshots) at(ctx context.Context, seq uint64) (*SnapshotRef, error) {
	msg, err := s.stream.GetMsg(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("read the message %d: %w", seq, err)
	}
	return refOf(msg), nil
}

// refOf reads what a message says of where its snapshot is; one that no node has
// written says nothing, and does not open.
func refOf(msg *jetstream.RawStreamMsg) *SnapshotRef {
	ref := &SnapshotRef{}
	if json.Unmarshal([]byte(msg.Header.Get(hdrSnapshot)), ref) != nil {
		*ref = SnapshotRef{}
	}
	ref.Seq, ref.body = msg.Sequence, msg.Data
	return ref
}

// Read returns what was saved: ErrSnapshotDamaged when it is not there any more,
// and the errors of the sealer.
func (s *Snapshots) Read(ctx context.Context, room wire.Room, ref *SnapshotRef) (info Snapshot, data []byte, err error) {
	sealed := ref.body
	for i, seq := range ref.Parts {
		msg, err := s.stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return info, nil, fmt.Errorf("eventlog: part %d of %d of a snapshot of %q is gone: %w", i, len(ref.Parts), room, ErrSnapshotDamaged)
		}
		if err != nil {
			return info, nil, fmt.Errorf("eventlog: read part %d of %d of a snapshot of %q: %w", i, len(ref.Parts), room, err)
		}
		sealed = append(sealed, msg.Data...)
	}
	packed, err := s.sealer.Open(room, sealed)
	if err == nil {
		info, data, err = unpack(packed)
	}
	if err != nil {
		return info, nil, fmt.Errorf("eventlog: read the snapshot of %q in message %d: %w", room, ref.Seq, err)
	}
	return info, data, nil
}
