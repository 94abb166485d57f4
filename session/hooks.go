package session

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Authenticator identifies the user of a request to connect:
// *auth.Authenticator, or a program's own, which reads a cookie or a token of
// its own kind (see auth.NewIdentity). Its methods may be called from any
// goroutine.
type Authenticator interface {
	// Identify is called at the handshake, on the request's goroutine, whose
	// context bounds what it waits for. An error refuses the connection: an
	// *auth.Error or a *wire.Error is shown, with its status (401, 403, 429 or
	// 503); any other is logged and answered 500.
	//
	// The uid must be wire.ValidUID, and begin with wire.GuestPrefix if, and only
	// if, Guest is set: else the connection is refused with 500. An identity that
	// has expired, or that Config.Revocations refuses, is answered 401. The names
	// are passed through auth.CleanName; who has none gets one.
	Identify(r *http.Request) (auth.Identity, error)
}

// Hooks are functions of the program that may observe, refuse or change what
// clients do. A nil one costs nothing. They may be called from any number of
// goroutines at once. An error refuses, unless it is a nil pointer (see
// wire.ErrorOrNil); one that is no *wire.Error is logged and shown as internal.
type Hooks struct {
	// Connect is called at the handshake, after login and origin were checked,
	// and returns the client's identity, for which the same rules hold as for an
	// Authenticator's. ctx ends with the request. It is not called for AddClient.
	Connect func(ctx context.Context, r *http.Request, who auth.Identity) (auth.Identity, error)
	// Disconnect is called when a connection has ended and its rooms have been
	// left; Manager.Close waits for it. ctx ends after 5 s.
	Disconnect func(ctx context.Context, c *Client)
	// Join is called before a client enters a room, but for its inbox and a room
	// that it is in already; at the handshake for all rooms at once, and then
	// before the upgrade. ctx ends with the request, or after 5 s.
	Join func(ctx context.Context, j JoinRequest) error
	// Publish is called with each event of a client that is about to be stored,
	// in the order in which the client sent them, on the goroutine that reads
	// the client's connection. It must not wait: what takes time belongs into
	// the function that it returns, which is called beside. That returns the
	// payload to store instead, or nil for the one that is there, or an error.
	// A nil function stores the event as it is. ctx ends when that function has
	// returned, or after 5 s.
	//
	// The events of one client in one room are stored in the order in which they
	// were sent, whatever the order of the answers; other rooms do not wait.
	// Commands to tables are asked about in the same way before the rules decide
	// them. Signals, and what the program publishes through rooms.Engine, do not
	// pass it.
	Publish func(ctx context.Context, p PublishRequest) (verdict func() (json.RawMessage, error))
}

// JoinRequest asks whether a client may enter a room.
type JoinRequest struct {
	Who    auth.Identity
	Room   wire.Room
	Resume bool // it resumes from a position
}

// PublishRequest is an event of a client that is about to be stored, or a command
// that the rules of a table are about to decide.
type PublishRequest struct {
	Who  auth.Identity
	Room wire.Room // of a private message the receiver's inbox, "@uid"
	ID   string    // the event's id, by the client; "": none
	// Event is the event as it will be stored: its type and payload, in which
	// messages have their sender already. Of a command to a table it is what the
	// rules will get: a send_message without a sender, its text in message. It must
	// not be changed.
	Event json.RawMessage
}

// disconnect calls Hooks.Disconnect, if there is one. A panic in it must not
// keep the connection's slot.
func (c *Client) disconnect() {
	if c.m.cfg.Hooks.Disconnect == nil {
		return
	}
	defer c.m.recoverHook("Disconnect", nil)
	ctx, cancel := c.request()
	defer cancel()
	c.m.cfg.Hooks.Disconnect(ctx, c)
}

// askJoin calls Hooks.Join.
func (m *Manager) askJoin(ctx context.Context, j JoinRequest) (err error) {
	defer m.recoverHook("Join", &err)
	return wire.ErrorOrNil(m.cfg.Hooks.Join(ctx, j))
}

// recoverHook is deferred around a function of the program where nothing else
// recovers its panics. err, if not nil, is set then.
func (m *Manager) recoverHook(hook string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	m.stats.Panics.Add(1)
	m.cfg.Log.Error().Interface("panic", v).Str("hook", hook).Bytes("stack", debug.Stack()).Msg("a hook panicked")
	if err != nil {
		*err = wire.Errorf(wire.Internal, "the server failed to decide about this; try again")
	}
}

// mayEnter calls Hooks.Join, if there is one, about a room that the client is
// not in.
func (c *Client) mayEnter(room wire.Room, resume bool) error {
	if c.m.cfg.Hooks.Join == nil || room == c.inbox() || c.isIn(room) {
		return nil
	}
	ctx, cancel := c.request()
	defer cancel()
	return c.m.askJoin(ctx, JoinRequest{Who: c.who, Room: room, Resume: resume})
}

// admit calls Hooks.Join for the first rooms of a connection, all at once. A
// resumed room that is refused is left out, and the client is told; if there
// was no decision, or the room that the request names is refused, the
// connection is refused.
func (m *Manager) admit(r *http.Request, who auth.Identity, first []firstRoom) error {
	if m.cfg.Hooks.Join == nil {
		return nil
	}
	var asking sync.WaitGroup
	for i := range first {
		room := &first[i]
		room.asked = true
		if room.refused != nil || room.name == wire.Inbox(who.UID) {
			continue
		}
		asking.Go(func() {
			room.refused = m.askJoin(r.Context(), JoinRequest{Who: who, Room: room.name, Resume: room.since.Position != nil})
		})
	}
	asking.Wait()
	for _, room := range first {
		if room.refused != nil && (room.named || refusalStatus(wire.AsError(room.refused).Code) >= http.StatusInternalServerError) {
			return room.refused
		}
	}
	return nil
}

// refusalStatus returns the HTTP status for a refusal before the upgrade.
func refusalStatus(code wire.Code) int {
	switch code {
	case wire.Unauthorized:
		return http.StatusUnauthorized
	case wire.Forbidden:
		return http.StatusForbidden
	case wire.RateLimited:
		return http.StatusTooManyRequests
	case wire.Busy, wire.Unavailable:
		return http.StatusServiceUnavailable
	case wire.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
