package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

// revokeGrace is how long the command that closes a user's connections has
// before a node closes the rest by itself: so the caller gets the right number
// of closed connections.
const revokeGrace = 3 * time.Second

// EndUser returns the function EndUser of rooms.Config and APIOptions. It
// revokes, on every node, credentials that were issued to the user up to now,
// for the time lasts, or for store.DefaultRevocation if that is negative. Its
// errors are *wire.Error: bad_payload, busy and unavailable. It may be called
// from any goroutine. list is also session.Config.Revocations, or that of the
// auth.Authenticator; with CloseRevoked it closes the user's connections.
func EndUser(list *store.Revocations, log zerolog.Logger) func(ctx context.Context, uid string, lasts time.Duration) error {
	return func(ctx context.Context, uid string, lasts time.Duration) error {
		if lasts < 0 {
			lasts = store.DefaultRevocation
		}
		switch {
		case !wire.ValidUID(uid):
			return wire.Errorf(wire.BadPayload, "%q cannot be the uid of a user", uid)
		case lasts > store.MaxRevocation:
			return wire.Errorf(wire.BadPayload, "sessions can be ended for %s at most", store.MaxRevocation)
		}
		err := list.Revoke(ctx, uid, lasts)
		switch {
		case errors.Is(err, store.ErrTooManyRevocations):
			return wire.Errorf(wire.Busy, "the sessions of %d users are ended already; end them for a shorter time", store.MaxRevocations)
		case errors.Is(err, auth.ErrUnavailable):
			log.Error().Err(err).Str("uid", uid).Msg("a user's sessions could not be ended")
			return wire.Errorf(wire.Unavailable, "it could not be stored that the sessions of %q are ended; try again", uid)
		}
		return err
	}
}

// CloseRevoked returns a function for store.Revocations.OnRevoke. It closes, on
// this node, connections that were made while the user's sessions were being
// ended, or while this node was not connected to NATS.
func CloseRevoked(sessions *session.Manager) func(uid string) {
	return func(uid string) { time.AfterFunc(revokeGrace, func() { sessions.CloseRevokedHere(uid) }) }
}
