package session

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// firstRoom is a room that a connection enters when it opens.
type firstRoom struct {
	name    wire.Room // as the client wrote it when it is refused
	since   rooms.Since
	named   bool  // by ?room=, or the default: if it is refused, the connection is
	asked   bool  // Hooks.Join was asked
	refused error // why the client may not resume it; sent as an error event
}

// ServeHTTP opens a connection: GET with a WebSocket upgrade. The checks are in
// the order of rooms/wire/README.md, each with its HTTP status before the
// upgrade.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began, from := m.now(), m.addressOf(r)
	status, refusal := m.reserve(from)
	if refusal != nil {
		m.refuse(w, r, auth.Identity{}, from, status, refusal)
		return
	}
	opened := false
	defer func() {
		if !opened {
			m.cancel(from)
		}
	}()
	if wait := m.takeAddress(from, connects); wait > 0 {
		m.stats.RefusedRate.Add(1)
		m.stats.LimitedConnects.Add(1)
		m.refuseRateLimited(wait, w, r, auth.Identity{}, from, "too many new connections from your address; try again in a moment")
		return
	}
	who, first, status, err := m.check(r)
	if err != nil {
		m.refuse(w, r, who, from, status, err)
		return
	}
	if wait := m.resumeWait(who, from, first); wait > 0 {
		m.stats.RefusedRate.Add(1)
		m.stats.LimitedResumes.Add(1)
		m.refuseRateLimited(wait, w, r, who, from, "too much was replayed to you already; try again in a moment")
		return
	}
	if err := m.admit(r, who, first); err != nil {
		m.refuseByHook(w, r, who, from, err)
		return
	}
	accepted, err := m.upgrader.Upgrade(w, r, m.cfg.Compress)
	if err != nil {
		m.stats.RefusedUpgrade.Add(1)
		m.logRefusal(r, who, from, 0, wire.Errorf(wire.BadPayload, "%v", err)) // refuseUpgrade has answered
		return
	}
	opened = true
	c := m.newClient(accepted.Conn, who, from)
	c.handshake, c.deflate = &accepted.Answer, accepted.Deflate
	if c.deflate {
		m.stats.Deflating.Add(1)
	}
	c.in = socket.NewReader(c.conn, c.deflate, (*frameHandler)(c))
	m.start(c)
	c.run(first, began)
}

// check makes all checks that depend on the request: login, origin, rooms.
func (m *Manager) check(r *http.Request) (who auth.Identity, first []firstRoom, status int, err error) {
	who, err = m.identify(r)
	if err != nil {
		status, _ = LoginRefusal(err)
		if status == http.StatusForbidden && !m.cfg.Origins.Allowed(r) { // an Authenticator that asks a backend checks the origin first
			m.stats.RefusedOrigin.Add(1)
			return who, nil, status, err
		}
		m.stats.RefusedLogin.Add(1)
		if status >= http.StatusInternalServerError && !wire.Known(err) {
			m.cfg.Log.Error().Err(err).Msg("a login could not be checked; the connection was refused")
		}
		return who, nil, status, err
	}
	if !m.cfg.Origins.Allowed(r) {
		m.stats.RefusedOrigin.Add(1)
		return who, nil, http.StatusForbidden, wire.Errorf(wire.Forbidden, "pages of %s may not connect; allow them with --allow-origin", r.Header.Get("Origin"))
	}
	if who, err = m.connect(r, who); err != nil {
		m.stats.RefusedHook.Add(1)
		m.logUnknown(err)
		status, refusal := LoginRefusal(err)
		return who, nil, status, refusal
	}
	first, err = m.firstRooms(r, who)
	if err != nil {
		m.stats.RefusedRoom.Add(1)
		refusal := wire.AsError(err)
		status = http.StatusBadRequest
		if refusal.Code == wire.Forbidden {
			status = http.StatusForbidden
		}
		return who, nil, status, refusal
	}
	return who, first, 0, nil
}

// refuseByHook answers a request that Hooks.Join refused, or could not decide.
func (m *Manager) refuseByHook(w http.ResponseWriter, r *http.Request, who auth.Identity, from address, err error) {
	m.stats.RefusedHook.Add(1)
	m.logUnknown(err)
	status, refusal := LoginRefusal(err)
	m.refuse(w, r, who, from, status, refusal)
}

// logUnknown logs an error of a hook that the client is not shown.
func (m *Manager) logUnknown(err error) {
	if status, _ := LoginRefusal(err); status >= http.StatusInternalServerError && !wire.Known(err) {
		m.cfg.Log.Error().Err(err).Msg("a hook failed; the connection was refused")
	}
}

// LoginRefusal returns the HTTP answer for an error of an Authenticator, which
// must not be nil.
func LoginRefusal(err error) (status int, refusal *wire.Error) {
	var e *auth.Error
	switch {
	case wire.Known(err):
		refusal = wire.AsError(err)
		return refusalStatus(refusal.Code), refusal
	case !errors.As(err, &e) || e == nil:
		return http.StatusInternalServerError, wire.AsError(err)
	case errors.Is(err, auth.ErrUnavailable):
		return e.Status(), wire.Errorf(wire.Unavailable, "%s", e.Message)
	default:
		return e.Status(), wire.Errorf(wire.Unauthorized, "%s", e.Message)
	}
}

// firstRooms parses ?room= and ?resume=. The first is always the inbox, the
// second the room that becomes the current one. A client that resumes is in
// those rooms only, even if it had left all. A resumed room that it may no
// longer enter does not affect the others.
func (m *Manager) firstRooms(r *http.Request, who auth.Identity) ([]firstRoom, error) {
	query := r.URL.Query()
	resume, err := wire.ParseResume(query.Get("resume"))
	if err != nil {
		return nil, err
	}
	list := []firstRoom{{name: wire.Inbox(who.UID)}}
	if name := query.Get("room"); name != "" || len(resume) == 0 {
		if name == "" {
			if name = string(m.cfg.DefaultRoom); !who.MayEnter(m.cfg.DefaultRoom) {
				return nil, wire.Errorf(wire.Forbidden, "you may not enter the room %q, in which a connection begins that names none; name one that you may: ?room=", name)
			}
		}
		room, err := resolve(who, name)
		if err != nil {
			return nil, err
		}
		if err := m.checkRoomName(who, room); err != nil && wire.AsError(err).Code == wire.BadRoom { // other errors are told after the upgrade, by the join
			return nil, err
		}
		list = append(list, firstRoom{name: wire.Room(strings.Clone(string(room))), named: true})
	}
	allowance := rooms.NewAllowance()
	for _, item := range resume {
		room, err := resolve(who, item.Room)
		if err != nil {
			list = append(list, firstRoom{name: wire.Room(item.Room), refused: err})
			continue
		}
		list = appendRoom(list, wire.Room(strings.Clone(string(room))), rooms.Since{Position: &item.Since, Allowance: allowance})
	}
	if len(list) > MaxRooms+1 {
		return nil, wire.Errorf(wire.TooManyRooms, "a client is in at most %d rooms; resume fewer", MaxRooms)
	}
	return list, nil
}

// appendRoom adds a room once; if it is in the list already, its position is
// set there.
func appendRoom(list []firstRoom, room wire.Room, since rooms.Since) []firstRoom {
	for i := range list {
		if list[i].name == room {
			if since.Position != nil {
				list[i].since = since
			}
			return list
		}
	}
	return append(list, firstRoom{name: room, since: since})
}

// resolve turns a name as a client writes it into a room, and
// checks that the user may enter it.
func resolve(who auth.Identity, name string) (wire.Room, error) {
	if name == wire.InboxAlias {
		return wire.Inbox(who.UID), nil
	}
	room, err := wire.ParseRoom(name)
	if err != nil {
		return "", err
	}
	if !who.MayEnter(room) {
		return "", wire.Errorf(wire.Forbidden, "you may not enter the room %q", name)
	}
	return room, nil
}

// refuseUpgrade answers a request that is no WebSocket handshake.
func refuseUpgrade(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	writeError(w, status, wire.Errorf(wire.BadPayload, "this address takes WebSocket connections only: %s", reason))
}

// refuse answers a request before its upgrade, and logs that.
func (m *Manager) refuse(w http.ResponseWriter, r *http.Request, who auth.Identity, from address, status int, refusal error) {
	m.logRefusal(r, who, from, status, refusal)
	_, shown := LoginRefusal(refusal)
	writeError(w, status, shown)
}

// refuseRateLimited answers 429 with Retry-After.
func (m *Manager) refuseRateLimited(wait time.Duration, w http.ResponseWriter, r *http.Request, who auth.Identity, from address, message string) {
	w.Header().Set("Retry-After", RetryAfter(wait))
	m.refuse(w, r, who, from, http.StatusTooManyRequests, &wire.Error{Code: wire.RateLimited, Message: message})
}

// RetryAfter returns the value of the header Retry-After: whole seconds, at
// least one.
func RetryAfter(wait time.Duration) string {
	return strconv.FormatInt(int64((max(wait, 1)+time.Second-1)/time.Second), 10)
}

// writeError answers a request before its upgrade.
func writeError(w http.ResponseWriter, status int, e *wire.Error) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if again := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable; again && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1") // it depends on other clients
	}
	w.WriteHeader(status)
	body := wire.MarshalPayload(map[string]any{"error": map[string]any{"code": e.Code, "message": e.Message}})
	_, _ = w.Write(body) // an error says that the client has disconnected
}
