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

// endedGrace is how long the command that ends a user's connections has, before
// a node closes by itself what is left: so the one who asked hears how many
// there were.
const endedGrace = 3 * time.Second

// EndUser is what rooms.Config and APIOptions take as EndUser: it refuses, on
// every node, what was issued to the user up to now, for lasts, or for
// store.DefaultRevocation if that is negative. Its errors are *wire.Error:
// bad_payload, busy and unavailable. list is also the Authenticator's, and
// closes by CloseRevoked who is connected.
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

// CloseRevoked is what store.Revocations.OnRevoke takes: it closes, on this node, who came in
// while the user's sessions were ended elsewhere, or while this node did not
// hear of it.
func CloseRevoked(sessions *session.Manager) func(uid string) {
	return func(uid string) { time.AfterFunc(endedGrace, func() { sessions.CloseRevokedHere(uid) }) }
}
