package store

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const guestKeyName = "guest-hs256" // in KeyBucket

// NewGuests opens the bucket with the key that signs guests' tokens, and
// creates both if needed; if several nodes do so at once, all use the key that
// was stored first. ctx bounds the call. opts may be nil.
func NewGuests(ctx context.Context, nc *nats.Conn, opts *Options) (*auth.Guests, error) {
	kv, err := openBucket(ctx, nc, KeyBucket, 0, opts)
	if err != nil {
		return nil, err
	}
	secret, _, err := eventlog.SharedKey(ctx, kv, guestKeyName, nil)
	if err != nil {
		return nil, fmt.Errorf("auth/store: the key of the guests' tokens: %w", err)
	}
	return auth.NewGuests(secret)
}
