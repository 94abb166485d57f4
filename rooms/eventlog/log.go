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

// Names of the streams.
const (
	RoomsStream = "ROOMS" // the logs of all rooms
	InboxStream = "INBOX" // the logs of all users' inboxes
	StepsStream = "STEPS" // the logs of all tables
)

// streamNames are the streams by space.
var streamNames = [wire.Spaces]string{wire.SpaceRooms: RoomsStream, wire.SpaceInboxes: InboxStream, wire.SpaceTables: StepsStream}

// Bounds of reading.
const (
	// RequestTimeout bounds one request, and the time between two parts of its
	// answer: a large page over a slow link may take longer in all.
	RequestTimeout = 2 * time.Second
	// MaxPage is the most events of a gap that are read before they are
	// delivered.
	MaxPage = 1000
	// ReadsAtOnce is how many reads run at a time; further ones wait.
	ReadsAtOnce = 4
	// PagesAtOnce is how many of them may be for pages of history, so that joins,
	// and rooms with a gap, need not wait for those.
	PagesAtOnce = 2
)

// Config is the configuration of a stream.
type Config struct {
	Space        wire.Space    // rooms or inboxes; the stream's name and subjects follow from it
	Memory       bool          // keep it in memory only
	Replicas     int           // 0: as the stream has, at least 3 on a cluster of 3 servers or more
	History      int64         // events kept per room
	HistoryAge   time.Duration // older events are discarded
	HistoryBytes int64         // of the whole stream; beyond it the oldest events are discarded
	Log          zerolog.Logger
}

// Log is one stream with the logs of all rooms, or of all inboxes.
type Log struct {
	// fixed after Open
	name   string // of the stream
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	cfg    Config
	slots  chan struct{} // semaphore: one per running read
	pages  chan struct{} // semaphore: one per read for history, running or waiting for a slot

	// companion is a subject that has events: see lastOf.
	companion atomic.Pointer[string]
}

// Open creates the stream, or updates an existing one to the configuration
// where that loses no events; where it would, the error is a *ConflictError. It
// retries until ctx ends while the servers are starting.
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

// Name returns the stream's name.
func (l *Log) Name() string { return l.name }

// Replicas returns how many servers hold the stream.
func (l *Log) Replicas() int { return l.stream.CachedInfo().Config.Replicas }

// Epoch returns the epoch of the stream when it was opened: see StreamState.
func (l *Log) Epoch() string { return epochOf(l.stream.CachedInfo().Created) }

// StreamState is the state of the whole stream, as its leader reported it.
type StreamState struct {
	Epoch       string // changes when the stream is created again; letters and digits
	First, Last uint64 // sequences
	Empty       bool
	Messages    uint64
	Subjects    uint64 // that have messages: rooms
	Bytes       uint64
	ReplicaLag  uint64 // of the replica that lags furthest behind the leader, in operations
	info        *jetstream.StreamInfo
}

// State asks the stream's leader for its state. It takes RequestTimeout at
// most.
func (l *Log) State(ctx context.Context) (StreamState, error) { return l.info(ctx) }

func (l *Log) info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	info, err := l.stream.Info(ctx, opts...)
	if err != nil {
		return StreamState{}, fmt.Errorf("ask for the state of the stream %s: %w", l.name, err)
	}
	s := info.State
	state := StreamState{Epoch: epochOf(info.Created), First: s.FirstSeq, Last: s.LastSeq, Empty: s.Msgs == 0, Messages: s.Msgs, Subjects: s.NumSubjects, Bytes: s.Bytes, info: info}
	if info.Cluster != nil {
		for _, replica := range info.Cluster.Replicas {
			state.ReplicaLag = max(state.ReplicaLag, replica.Lag)
		}
	}
	return state, nil
}

// Told returns when this was told, by the clock of the server that leads the
// stream; zero: it does not say.
func (s StreamState) Told() time.Time { return s.info.TimeStamp }

// Created returns when the stream was created, by its server's clock.
func (s StreamState) Created() time.Time { return s.info.Created }

// leader names the server that answered; "" if the stream has one replica.
func (s StreamState) leader() string {
	if s.info.Cluster == nil {
		return ""
	}
	return s.info.Cluster.Leader
}

// quorumWithin reports whether a majority of the replicas, the leader included,
// was in touch with the leader within d: then no other server can have been the
// leader.
func (s StreamState) quorumWithin(d time.Duration) bool {
	c := s.info.Cluster
	if c == nil || s.info.Config.Replicas <= 1 {
		return true
	}
	inTouch := 1
	for _, replica := range c.Replicas {
		if !replica.Offline && replica.Active < d {
			inTouch++
		}
	}
	return inTouch > (len(c.Replicas)+1)/2
}

// retry calls fn, with pauses that grow, until it succeeds; when ctx ends it
// returns fn's last error.
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

// Pause waits before the given attempt, with jitter, longer each time and up to
// 1.5 times RequestTimeout; before attempt 0 not at all. It returns ctx's error
// if that ends first.
func Pause(ctx context.Context, attempt int) error {
	_, err := PauseUntil(ctx, BeforeAttempt(attempt), nil)
	return err
}

// BeforeAttempt is how long Pause waits, drawn anew at each call.
func BeforeAttempt(attempt int) time.Duration {
	if attempt <= 0 {
		return 0
	}
	pause := min(25*time.Millisecond<<min(attempt, 10), RequestTimeout)
	return pause/2 + rand.N(pause)
}

// PauseUntil waits for d, or until early is closed, which it reports. It returns
// ctx's error if that ends first.
func PauseUntil(ctx context.Context, d time.Duration, early <-chan struct{}) (ended bool, err error) {
	if d <= 0 {
		return false, ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-early:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (l *Log) acquire(ctx context.Context) error { return acquireSlot(ctx, l.slots) }

// acquireSlot takes a slot of a semaphore, or fails with ctx's error.
func acquireSlot(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) release() { <-l.slots }
