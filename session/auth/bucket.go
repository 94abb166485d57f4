package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// TicketBucket is the KV bucket of the tickets that were not redeemed yet.
	TicketBucket = "roomd_tickets"
	// KeyBucket is the KV bucket of the key that signs guests' tokens.
	KeyBucket = "roomd_keys"

	// backendTimeout bounds every question to NATS: someone waits for the answer to a login.
	backendTimeout = 5 * time.Second
)

// BucketOptions says how NATS keeps a bucket. Every node of a cluster gives the same. nil is the zero value.
type BucketOptions struct {
	Replicas int  // 0: 1
	Memory   bool // in memory, lost with the server (or, replicated, with the last of them)
}

// openBucket opens a KV bucket and creates it, or changes its replicas, where needed; several nodes may do so at once, also on
// servers that are just starting. maxAge 0 keeps entries for ever.
//
// It makes the stream behind the bucket itself, for two differences from what the client library would make. Reads are answered by
// the leader, not by any replica: one that is a moment behind would know nothing of a ticket that was just issued. And headers that
// erase (rollup) are off.
func openBucket(ctx context.Context, nc *nats.Conn, name string, maxAge time.Duration, opts *BucketOptions) (jetstream.KeyValue, error) {
	if opts == nil {
		opts = &BucketOptions{}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("auth: open the bucket %s: %w", name, err)
	}
	cfg := jetstream.StreamConfig{
		Name:              "KV_" + name,
		Subjects:          []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxConsumers:      -1,
		MaxAge:            maxAge,
		Duplicates:        2 * time.Minute,
		Replicas:          max(opts.Replicas, 1),
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
	}
	if maxAge > 0 && maxAge < cfg.Duplicates {
		cfg.Duplicates = maxAge
	}
	if opts.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	var kv jetstream.KeyValue
	err = patiently(ctx, func(ctx context.Context) error {
		// Create first: updates that run into another node's create were seen to stay without an answer.
		_, err := js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			_, err = js.UpdateStream(ctx, cfg)
		}
		if err != nil {
			return fmt.Errorf("auth: create the bucket %s: %w", name, err)
		}
		if kv, err = js.KeyValue(ctx, name); err != nil {
			return fmt.Errorf("auth: open the bucket %s: %w", name, err)
		}
		return nil
	})
	return kv, err
}

// attemptTimeout is what one attempt of patiently may take, attemptPause what is between two.
const (
	attemptTimeout = 1500 * time.Millisecond
	attemptPause   = 200 * time.Millisecond
)

// patiently calls fn until it succeeds, as long as its error is that of servers that are starting, or of a bucket that another
// node is making at this moment, and until ctx ends. A request that is sent while there is no leader is never answered.
func patiently(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := fn(attempt)
		cancel()
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-time.After(attemptPause):
		case <-ctx.Done():
			return err
		}
	}
}

func passing(err error) bool {
	for _, known := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrBucketNotFound, jetstream.ErrStreamNotFound} {
		if errors.Is(err, known) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == 503
}
