package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// QuorumWithin is how recently a majority of the replicas must have answered
// the log's leader: three of its heartbeats, which it sends every second. A
// leader without followers steps down only after ten.
const QuorumWithin = 3 * time.Second

// ErrNoQuorum says that a majority of the replicas does not answer the log's
// leader, so nothing can be stored.
var ErrNoQuorum = errors.New("a majority of the servers that hold the log does not answer its leader")

// Quorum returns nil if the log has a leader that a majority of the replicas
// follows, else ErrNoQuorum, or why there is no answer.
func (l *Log) Quorum(ctx context.Context) error {
	state, err := l.State(ctx)
	if err == nil && !state.quorumWithin(QuorumWithin) {
		return ErrNoQuorum
	}
	return err
}

// The KV bucket that write probes write to. It has one key, so it does not grow.
const (
	probeBucket  = "roomd_probe"
	probeSubject = "$KV." + probeBucket + ".probe"
	// probeBytes is the block size of file systems: a smaller probe might still
	// fit into the last block of a file on a full disk.
	probeBytes = 4 << 10
)

// WriteProbe writes a little to the servers that hold the log, outside the log,
// so that a full disk is noticed before somebody's event is refused.
type WriteProbe struct {
	nc   *nats.Conn
	cfg  BucketConfig
	body []byte
}

// NewWriteProbe opens, or creates, the bucket that it writes to, with as many
// replicas as the log.
func (l *Log) NewWriteProbe(ctx context.Context) (*WriteProbe, error) {
	w := &WriteProbe{nc: l.nc, body: make([]byte, probeBytes), cfg: BucketConfig{Name: probeBucket, Replicas: l.Replicas(), Memory: l.cfg.Memory}}
	return w, w.open(ctx)
}

func (w *WriteProbe) open(ctx context.Context) error {
	_, err := OpenBucket(ctx, w.nc, w.cfg)
	return err
}

// ErrProbeNoLeader says that the probe's bucket has no leader at the moment,
// from which nothing follows for the log: each stream has its own.
var ErrProbeNoLeader = errors.New("the bucket " + probeBucket + " has no leader")

// Write returns when the probe is stored. If the bucket was deleted it is
// created again.
func (w *WriteProbe) Write(ctx context.Context) error {
	msg, err := w.nc.RequestWithContext(ctx, probeSubject, w.body)
	if errors.Is(err, nats.ErrNoResponders) {
		if err = w.open(ctx); err == nil {
			msg, err = w.nc.RequestWithContext(ctx, probeSubject, w.body)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProbeNoLeader, err)
		}
	}
	if err != nil {
		return fmt.Errorf("write to the bucket %s: %w", probeBucket, err)
	}
	ack, err := parseAck(msg.Data)
	if err == nil && ack.Error != nil {
		err = ack.Error
	}
	if err != nil {
		return fmt.Errorf("write to the bucket %s: %w", probeBucket, err)
	}
	return nil
}

// Flow is how publishing to one stream is going.
type Flow struct {
	Acked   int64     // acknowledged so far; without duplicates, which are acknowledged even by a log that cannot write
	Expired int64     // given up on so far, after PublishTimes.Deadline without an ack
	Oldest  time.Time // when the oldest pending publish was first sent; zero: none is pending
	Why     error     // why that was last refused; nil: no answer
}

// flowCounts are a publisher's counters for Flow, for one stream.
type flowCounts struct{ acked, expired atomic.Int64 }

// Flow returns how publishing to each stream is going. It walks all pending
// publishes.
func (p *Publisher) Flow() [wire.Spaces]Flow {
	var flows [wire.Spaces]Flow
	for space := range flows {
		flows[space].Acked, flows[space].Expired = p.counts[space].acked.Load(), p.counts[space].expired.Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pub := range p.pending {
		f := &flows[pub.space]
		if f.Oldest.IsZero() || pub.firstSent.Before(f.Oldest) {
			f.Oldest, f.Why = pub.firstSent, pub.lastError
		}
	}
	return flows
}
