package store

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

const (
	// TicketBucket is the KV bucket of tickets that have not been redeemed.
	TicketBucket = "roomd_tickets"
	// KeyBucket is the KV bucket of the key that signs guests' tokens.
	KeyBucket = eventlog.KeyBucket

	// backendTimeout bounds each operation in NATS: a user is waiting for the
	// login.
	backendTimeout = 5 * time.Second
)

// Options say how NATS stores a bucket. They must be the same on every node of
// a cluster. A nil *Options is the zero value.
type Options struct {
	Replicas int  // 0: 1
	Memory   bool // in memory, lost with the server (or, replicated, with the last of them)
}

// openBucket opens a KV bucket, and creates it or changes its replicas if
// needed; maxAge 0 keeps entries for ever.
func openBucket(ctx context.Context, nc *nats.Conn, name string, maxAge time.Duration, opts *Options) (jetstream.KeyValue, error) {
	if opts == nil {
		opts = &Options{}
	}
	return opts.open(ctx, nc, eventlog.BucketConfig{Name: name, MaxAge: maxAge, Shared: name == KeyBucket}) // the engine uses it too
}

// open calls eventlog.OpenBucket with the options.
func (o Options) open(ctx context.Context, nc *nats.Conn, c eventlog.BucketConfig) (jetstream.KeyValue, error) {
	c.Replicas, c.Memory = o.Replicas, o.Memory
	kv, err := eventlog.OpenBucket(ctx, nc, c)
	if err != nil {
		return nil, fmt.Errorf("auth/store: %w", err)
	}
	return kv, nil
}
