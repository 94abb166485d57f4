package session

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// identify returns who a request is from, as the Authenticator says and accept
// takes it.
func (m *Manager) identify(r *http.Request) (auth.Identity, error) {
	who, err := m.who.Identify(r)
	if err = wire.ErrorOrNil(err); err != nil {
		return who, err
	}
	accepted, err := m.accept(who)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("session: the Authenticator returned an identity that is not accepted: %w", err)
	}
	return accepted, nil
}

// connect calls Hooks.Connect, if there is one, and accepts what it returns.
func (m *Manager) connect(r *http.Request, who auth.Identity) (auth.Identity, error) {
	if m.cfg.Hooks.Connect == nil {
		return who, nil
	}
	changed, err := m.cfg.Hooks.Connect(r.Context(), r, who)
	if err = wire.ErrorOrNil(err); err != nil {
		return who, err
	}
	accepted, err := m.accept(changed)
	if err != nil {
		return who, fmt.Errorf("session: Hooks.Connect returned an identity that is not accepted: %w", err)
	}
	return accepted, nil
}

// accept returns an identity, wherever it is from, as a connection may have it:
// with names that are cleaned, and never without one. Its error is an
// *auth.Error if the user may log in again, because the login has expired or
// was revoked; any other is a mistake of the program's.
func (m *Manager) accept(who auth.Identity) (auth.Identity, error) {
	switch {
	case !wire.ValidUID(who.UID):
		return who, fmt.Errorf("%q cannot be a uid; it must make a valid room name behind an @", who.UID)
	case who.Guest != wire.IsGuest(who.UID):
		return who, fmt.Errorf("the uid %q with Guest %v: a guest's begins with %q, and no other does", who.UID, who.Guest, wire.GuestPrefix)
	case !who.Expires.IsZero() && time.Since(who.Expires) >= auth.Leeway:
		return who, refusedLogin(who, "the login has expired; log in again")
	case m.revoked(who):
		return who, refusedLogin(who, "your sessions were ended by an operator; log in again")
	}
	unnamed := auth.GuestName
	if !who.Guest {
		unnamed = auth.CleanName(who.UID)
	}
	who.Username = cmp.Or(auth.CleanName(who.Username), unnamed, who.UID)
	who.AvatarID = auth.CleanName(who.AvatarID)
	return who, nil
}

// refusedLogin returns a refusal that names the user in the log.
func refusedLogin(who auth.Identity, message string) *auth.Error {
	refusal := auth.Refused("%s", message)
	refusal.Claimed = who.UID
	return refusal
}

// revoked reports whether the credential behind id is refused, as the user's
// sessions were ended since it was issued, or it is not known when that was.
func (m *Manager) revoked(id auth.Identity) bool {
	return m.revocations != nil && m.revocations.Revoked(id)
}
