package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

// listRooms returns the rooms of all nodes, as the lobby shows them to users
// who may enter all of them; without a limit as many as fit.
func (a *api) listRooms(r *http.Request) (any, error) {
	query := r.URL.Query()
	ask := wire.GetRooms{Prefix: query.Get("prefix"), After: query.Get("after")}
	if query.Get("limit") != "" {
		limit, err := limitOf(r, rooms.MaxLobbyPage)
		if err != nil {
			return nil, err
		}
		ask.Limit = limit
	}
	if err := ask.Clean(); err != nil {
		return nil, err
	}
	return a.engine.Rooms(r.Context(), lobby.Query{Prefix: ask.Prefix, After: ask.After, Limit: ask.Limit}, rooms.MaxRoomsBytes)
}

// showRoom returns one room: one that is open, or has a log or a label.
func (a *api) showRoom(r *http.Request) (any, error) {
	room, err := roomToRead(r)
	if err != nil {
		return nil, err
	}
	info, ok, err := a.engine.Room(r.Context(), room)
	if err != nil || ok && (info.Seq > 0 || info.Users > 0) {
		return info, err
	}
	page, err := a.engine.History(r.Context(), room, 0, 1)
	if err != nil {
		return nil, err
	}
	label := info.Label
	info, ok = a.engine.RoomHere(room) // it is open now, as its log was read
	info.Label = label
	if !ok || len(page.Events) == 0 && info.Users == 0 && label == nil {
		return nil, wire.Errorf(wire.NotFound, "nobody is in the room %q and nothing was said there", room)
	}
	return info, nil
}

// maxLabelBody is the most bytes of a request with a label: more than
// wire.MaxLabelBytes, as white space is removed later.
const maxLabelBody = 8 * wire.MaxLabelBytes

// setLabel sets the public label of a room.
func (a *api) setLabel(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	text, err := readJSON(r, maxLabelBody)
	if err != nil {
		return nil, err
	}
	return a.labelled(r, room, text)
}

func (a *api) removeLabel(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	return a.labelled(r, room, nil)
}

func (a *api) labelled(r *http.Request, room wire.Room, label json.RawMessage) (any, error) {
	if err := a.engine.SetLabel(r.Context(), room, label); err != nil {
		return nil, err
	}
	return map[string]json.RawMessage{"label": a.engine.Label(room)}, nil
}

func (a *api) listMembers(r *http.Request) (any, error) {
	room, err := roomToRead(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r, rooms.MaxPresenceList)
	if err != nil {
		return nil, err
	}
	return a.engine.Online(r.Context(), room, r.URL.Query().Get("after"), limit)
}

func (a *api) listEvents(r *http.Request) (any, error) {
	room, err := roomToRead(r)
	if err != nil {
		return nil, err
	}
	before, err := number(r, "before", 0, 0)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r, rooms.MaxHistoryPage)
	if err != nil {
		return nil, err
	}
	return a.engine.History(r.Context(), room, before, limit)
}

// removeMember removes a user from a room; the connections stay open.
func (a *api) removeMember(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	uid, err := userOf(r)
	if err != nil {
		return nil, err
	}
	removed, err := a.engine.Remove(r.Context(), room, uid)
	return map[string]int{"removed": removed}, err
}

// closeSessions closes a user's connections, with a code after which clients do
// not reconnect, and revokes the user's credentials for a time (?for=1h).
func (a *api) closeSessions(r *http.Request) (any, error) {
	uid, err := userOf(r)
	if err != nil {
		return nil, err
	}
	for name := range r.URL.Query() {
		if name != "for" {
			return nil, wire.Errorf(wire.BadPayload, "there is no parameter %q; write ?for=1h to keep the user's tokens out for that long", name)
		}
	}
	lasts := time.Duration(-1)
	if text := r.URL.Query().Get("for"); text != "" {
		if lasts, err = time.ParseDuration(text); err != nil || lasts < 0 {
			return nil, wire.Errorf(wire.BadPayload, "for is %q; it must be a duration such as 1h, at most %s, or 0s to lift what an earlier call set", text, store.MaxRevocation)
		}
	}
	switch {
	case a.EndUser != nil:
		if err := wire.ErrorOrNil(a.EndUser(r.Context(), uid, lasts)); err != nil {
			return nil, err
		}
	case lasts > 0:
		return nil, wire.Errorf(wire.BadPayload, "?for= is not possible here: this program only ends connections")
	}
	closed, err := a.engine.CloseUser(r.Context(), uid, wire.CloseRemoved)
	a.Log.Info().Str("uid", uid).Str("for", r.URL.Query().Get("for")).Int("closed", closed).Msg("a user's sessions were ended over the API")
	return map[string]int{"closed": closed}, err
}
