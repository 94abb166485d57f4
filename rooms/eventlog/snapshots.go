package eventlog

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of snapshots.
const (
	// SnapshotsStream holds the last SnapshotsKept of each table.
	SnapshotsStream = "SNAPSHOTS"
	SnapshotsKept   = 2
	// MaxSnapshotBytes is the largest that is stored, compressed, and
	// MaxSnapshotState what it may take when it is not.
	MaxSnapshotBytes = 900 << 10
	MaxSnapshotState = 64 << 20
)

// Snapshots keeps tables as they were after one of their steps.
type Snapshots struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	sealer Sealer
}

// Sealer makes of a snapshot what only nodes can read, and the snapshot of that
// again. Its methods may be called from any goroutine.
type Sealer interface {
	Seal(room wire.Room, plain []byte) []byte
	Open(room wire.Room, sealed []byte) ([]byte, error)
}

// OpenSnapshots opens the stream; it is created when there is none.
func OpenSnapshots(ctx context.Context, nc *nats.Conn, memory bool, replicas int, sealer Sealer) (*Snapshots, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("eventlog: JetStream: %w", err)
	}
	storage := jetstream.FileStorage
	if memory {
		storage = jetstream.MemoryStorage
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: SnapshotsStream, Description: "tables as they were after one of their steps", Subjects: []string{wire.AllSnapshots},
		Storage: storage, Replicas: replicas, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: SnapshotsKept, DenyDelete: true, DenyPurge: true,
	})
	if err != nil {
		return nil, fmt.Errorf("eventlog: open the stream %s: %w", SnapshotsStream, err)
	}
	return &Snapshots{js, stream, sealer}, nil
}

// Save stores a table's snapshot. It fails for one of more than MaxSnapshotBytes.
func (s *Snapshots) Save(ctx context.Context, room wire.Room, data []byte) error {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	sealed := s.sealer.Seal(room, packed.Bytes()) // after it was compressed: what is sealed cannot be
	if err == nil && len(sealed) > MaxSnapshotBytes {
		err = fmt.Errorf("it has %d bytes, and may have %d", len(sealed), MaxSnapshotBytes)
	}
	if err == nil {
		_, err = s.js.Publish(ctx, wire.SnapshotSubject(room), sealed)
	}
	if err != nil {
		return fmt.Errorf("eventlog: save a snapshot of %q: %w", room, err)
	}
	return nil
}

// Last returns a table's newest snapshot, from the stream's leader; nil: it has
// none.
func (s *Snapshots) Last(ctx context.Context, room wire.Room) ([]byte, error) {
	msg, err := s.stream.GetLastMsgForSubject(ctx, wire.SnapshotSubject(room))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventlog: read the snapshot of %q: %w", room, err)
	}
	packed, err := s.sealer.Open(room, msg.Data)
	if err != nil {
		return nil, fmt.Errorf("eventlog: open the snapshot of %q: %w", room, err)
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), MaxSnapshotState+1))
	if err == nil && len(data) > MaxSnapshotState {
		err = fmt.Errorf("it has more than %d bytes", MaxSnapshotState)
	}
	if err != nil {
		return nil, fmt.Errorf("eventlog: read the snapshot of %q: %w", room, err)
	}
	return data, nil
}
