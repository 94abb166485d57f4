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
// the log's leader: three of its heartbeats, of which it sends one a second. A
// leader alone steps down only after ten.
const QuorumWithin = 3 * time.Second

// ErrNoQuorum says that the log's leader has not heard from enough replicas to
// store anything.
var ErrNoQuorum = errors.New("a majority of the servers that hold the log does not answer its leader")

// Quorum reports whether the log has a leader that a majority of the replicas
// follows: nil, ErrNoQuorum, or why nobody answers.
func (l *Log) Quorum(ctx context.Context) error {
	standing, err := l.State(ctx)
	if err == nil && !standing.quorumWithin(QuorumWithin) {
		return ErrNoQuorum
	}
	return err
}

// The bucket that write probes write to: one key, so that it does not grow.
const (
	probeBucket  = "roomd_probe"
	probeSubject = "$KV." + probeBucket + ".probe"
	// probeBytes is a block, of which disks are given out: no probe fits into
	// what is left of the last one.
	probeBytes = 4 << 10
)

// WriteProbe writes a little to the servers that hold the log, and nothing to
// the log: by that a full disk is known before somebody's event is refused.
type WriteProbe struct {
	nc   *nats.Conn
	cfg  BucketConfig
	body []byte
}

// NewWriteProbe opens, or makes, the bucket that it writes to, with as many
// replicas as the log.
func (l *Log) NewWriteProbe(ctx context.Context) (*WriteProbe, error) {
	w := &WriteProbe{nc: l.nc, body: make([]byte, probeBytes), cfg: BucketConfig{Name: probeBucket, Replicas: l.Replicas(), Memory: l.cfg.Memory}}
	return w, w.open(ctx)
}

func (w *WriteProbe) open(ctx context.Context) error {
	_, err := OpenBucket(ctx, w.nc, w.cfg)
	return err
}

// ErrProbeNoLeader says that the bucket of the write probe has no leader at the
// moment, of which nothing follows for the log: it may have another.
var ErrProbeNoLeader = errors.New("the bucket " + probeBucket + " has no leader")

// Write returns when it is stored. A bucket that is gone is made again.
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

// Flow is how publishing into one stream goes at a moment.
type Flow struct {
	Acked   int64     // acknowledged ever, without duplicates, which a log that can write nothing acknowledges too
	Expired int64     // given up on ever, after PublishTimes.Deadline without an ack
	Oldest  time.Time // when the oldest publish without an ack was sent first; zero: all have one
	Why     error     // of its last refusal; nil: nobody answers
}

// flowCounts are what a publisher counts for Flow, of one stream.
type flowCounts struct{ acked, expired atomic.Int64 }

// Flow looks through what has no ack.
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
