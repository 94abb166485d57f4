package eventlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The streams that the logs are in.
const (
	RoomsStream = "ROOMS" // of every room
	InboxStream = "INBOX" // of every user's inbox
)

// streamNames are theirs by space.
var streamNames = [wire.Spaces]string{wire.SpaceRooms: RoomsStream, wire.SpaceInboxes: InboxStream}

// Bounds of reading.
const (
	// RequestTimeout bounds one request, and the silence between two parts of
	// its answer: a large page over a slow link may take longer.
	RequestTimeout = 2 * time.Second
	// MaxPage is the most events of a hole that are read before they are
	// delivered.
	MaxPage = 1000
	// ReadsAtOnce is how many reads run at a time; more wait for their turn.
	ReadsAtOnce = 4
	// PagesAtOnce is how many of them are for pages of history: who joins, and
	// a room with a hole, find the others free of them.
	PagesAtOnce = 2
)

// Config says what the stream should be.
type Config struct {
	Space        wire.Space    // whose logs it holds; the name and the subjects follow from it
	Memory       bool          // keep it in memory only
	Replicas     int           // 0: as it is, or, on a cluster of 3 servers or more, 3
	History      int64         // events kept per room
	HistoryAge   time.Duration // events older than this are dropped
	HistoryBytes int64         // the whole log; the oldest events are dropped
	Log          zerolog.Logger
}

// Log is the stream, as one connection sees it.
type Log struct {
	// fixed after Open
	name   string // of the stream
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	cfg    Config
	slots  chan struct{} // one per read under way
	pages  chan struct{} // one per read for history, those that wait for a slot included

	// companion is a subject that has events: see lastOf.
	companion atomic.Pointer[string]
}

// Open creates the stream, or brings an existing one to what the configuration
// says where that loses no event; where it would, the error is a
// *ConflictError. It waits until ctx ends for servers that are just starting.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("eventlog: JetStream: %w", err)
	}
	l := &Log{name: streamNames[cfg.Space], nc: nc, js: js, cfg: cfg, slots: make(chan struct{}, ReadsAtOnce), pages: make(chan struct{}, PagesAtOnce)}
	if l.stream, err = l.awaitStream(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Name is the stream's.
func (l *Log) Name() string { return l.name }

// Replicas is how many servers hold the log.
func (l *Log) Replicas() int { return l.stream.CachedInfo().Config.Replicas }

// Epoch names the life of the log that was opened: see StreamState.
func (l *Log) Epoch() string { return epochOf(l.stream.CachedInfo().Created) }

// StreamState is the state of the whole stream, as its leader says.
type StreamState struct {
	Epoch       string // names one life of the stream: letters and digits
	First, Last uint64 // sequences
	Empty       bool
	Messages    uint64
	Bytes       uint64
	ReplicaLag  uint64 // of the replica that is furthest behind its leader, in operations
	info        *jetstream.StreamInfo
}

// State asks the stream's leader for its state, for RequestTimeout at most.
func (l *Log) State(ctx context.Context) (StreamState, error) { return l.info(ctx) }

func (l *Log) info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	info, err := l.stream.Info(ctx, opts...)
	if err != nil {
		return StreamState{}, fmt.Errorf("ask for the state of the stream %s: %w", l.name, err)
	}
	s := info.State
	state := StreamState{Epoch: epochOf(info.Created), First: s.FirstSeq, Last: s.LastSeq, Empty: s.Msgs == 0, Messages: s.Msgs, Bytes: s.Bytes, info: info}
	if info.Cluster != nil {
		for _, replica := range info.Cluster.Replicas {
			state.ReplicaLag = max(state.ReplicaLag, replica.Lag)
		}
	}
	return state, nil
}

// Made is when the stream was made, by its server's clock.
func (s StreamState) Made() time.Time { return s.info.Created }

// leader names the server that answered; "" where the stream has one replica.
func (s StreamState) leader() string {
	if s.info.Cluster == nil {
		return ""
	}
	return s.info.Cluster.Leader
}

// quorumWithin reports whether a majority of the replicas, the leader included,
// was in touch with the leader within d: then no other can have been the
// leader.
func (s StreamState) quorumWithin(d time.Duration) bool {
	c := s.info.Cluster
	if c == nil || s.info.Config.Replicas <= 1 {
		return true
	}
	heard := 1
	for _, replica := range c.Replicas {
		if !replica.Offline && replica.Active < d {
			heard++
		}
	}
	return heard > (len(c.Replicas)+1)/2
}

// retry calls fn until it succeeds, with a pause that grows; it gives up when
// ctx ends, with fn's last error.
func (l *Log) retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if err == nil || ctx.Err() != nil || l.nc.IsClosed() {
			return err
		}
		if Pause(ctx, attempt) != nil {
			return err
		}
	}
}

// Pause waits before the attempt of that number, longer each time and up to
// RequestTimeout; before the first, 0, not at all. It returns ctx's error.
func Pause(ctx context.Context, attempt int) error {
	if attempt <= 0 {
		return ctx.Err()
	}
	pause := min(25*time.Millisecond<<min(attempt, 10), RequestTimeout)
	select {
	case <-time.After(pause/2 + rand.N(pause)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) acquire(ctx context.Context) error { return take(ctx, l.slots) }

// take acquires a slot of a semaphore, or fails with ctx's error.
func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) release() { <-l.slots }
