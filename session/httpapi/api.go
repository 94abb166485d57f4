package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// maxIdempotencyKey is the most bytes of an Idempotency-Key; a longer one is
// answered 400.
const maxIdempotencyKey = 128

// APIOptions configure the API.
type APIOptions struct {
	Guard Guard // nil: LocalOnly, programs of this machine
	// EndUser revokes a user's credentials when the user's sessions are ended:
	// see the function EndUser. It should be that of rooms.Config, so that the
	// service on NATS does the same. nil: only connections are closed, and
	// ?for= is refused.
	EndUser func(ctx context.Context, uid string, lasts time.Duration) error
	Log     zerolog.Logger // zero: nothing is logged
}

// api handles /api/.
type api struct {
	engine *rooms.Engine
	APIOptions
}

// NewAPI returns a handler of everything under /api/ in rooms/wire/README.md,
// to be mounted at "/api/". Callers may publish into inboxes, which clients
// may not; to read one is refused with Forbidden, as its user alone reads it.
func NewAPI(engine *rooms.Engine, opts APIOptions) http.Handler {
	if opts.Guard == nil {
		opts.Guard = LocalOnly(auth.Proxies{}, "")
	}
	a := &api{engine: engine, APIOptions: opts}
	mux := http.NewServeMux()
	on := func(path string, m Methods) { mux.Handle(path, Endpoint(a.Log, a.Guard, m)) }
	on("/api/rooms", Methods{http.MethodGet: a.listRooms})
	on("/api/rooms/{room}", Methods{http.MethodGet: a.showRoom})
	on("/api/rooms/{room}/events", Methods{http.MethodGet: a.listEvents, http.MethodPost: a.publishToRoom})
	on("/api/rooms/{room}/members", Methods{http.MethodGet: a.listMembers})
	on("/api/rooms/{room}/members/{uid}", Methods{http.MethodDelete: a.removeMember})
	on("/api/rooms/{room}/label", Methods{http.MethodPut: a.setLabel, http.MethodDelete: a.removeLabel})
	on("/api/tables/{room}", Methods{http.MethodGet: a.inspectTable})
	on("/api/tables/{room}/stopped", Methods{http.MethodDelete: a.resumeTable})
	on("/api/users/{uid}/events", Methods{http.MethodPost: a.publishToUser})
	on("/api/users/{uid}/sessions", Methods{http.MethodDelete: a.closeSessions})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := wire.ErrorOrNil(a.Guard(r))
		if err == nil {
			err = wire.Errorf(wire.NotFound, "there is no %s; the API is described in rooms/wire/README.md", r.URL.Path)
		}
		WriteError(w, r, a.Log, err)
	})
	return mux
}

// roomOf returns the room in the path.
func roomOf(r *http.Request) (wire.Room, error) { return wire.ParseRoom(r.PathValue("room")) }

// roomToRead is roomOf for requests that show what is in a room.
func roomToRead(r *http.Request) (wire.Room, error) {
	room, err := roomOf(r)
	if err == nil && wire.SpaceOf(room) == wire.SpaceInboxes {
		return "", wire.Errorf(wire.Forbidden, "an inbox is read by its user only; the API reads rooms")
	}
	return room, err
}

func userOf(r *http.Request) (string, error) {
	uid := r.PathValue("uid")
	if !wire.ValidUID(uid) {
		return "", wire.Errorf(wire.BadPayload, "%q cannot be the uid of a user", uid)
	}
	return uid, nil
}

// number parses an optional parameter of the URL.
func number(r *http.Request, name string, least, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseUint(text, 10, 63)
	if err != nil || value < least {
		return 0, wire.Errorf(wire.BadPayload, "%s is %q; it must be a whole number from %d up", name, text, least)
	}
	return value, nil
}

// limitOf parses ?limit=, from 1 to most; without it, most.
func limitOf(r *http.Request, most int) (int, error) {
	limit, err := number(r, "limit", 1, uint64(most))
	if err == nil && limit > uint64(most) {
		err = wire.Errorf(wire.BadPayload, "limit is %d; it is at most %d", limit, most)
	}
	return int(limit), err
}

func (a *api) publishToRoom(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	return a.publish(r, room)
}

func (a *api) publishToUser(r *http.Request) (any, error) {
	uid, err := userOf(r)
	if err != nil {
		return nil, err
	}
	return a.publish(r, wire.Inbox(uid))
}

// stored is the response to a publish.
type stored struct {
	Seq       uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

func (a *api) publish(r *http.Request, room wire.Room) (any, error) {
	text, err := readJSON(r, rooms.MaxEventBytes)
	if err != nil {
		return nil, err
	}
	ev, body, err := wire.ReadBody(text)
	if err != nil {
		return nil, err
	}
	if ev.Room != "" {
		if named, err := wire.ParseRoom(ev.Room); err != nil || named != room {
			return nil, wire.Errorf(wire.BadRoom, "the event names the room %q, the URL another; leave it out of the event", ev.Room)
		}
	}
	msgID, err := messageID(r, room, ev.ID)
	if err != nil {
		return nil, err
	}
	at, err := a.engine.Publish(r.Context(), room, body, rooms.PublishOptions{ID: msgID})
	return stored{Seq: at.Seq, Duplicate: at.Duplicate}, err
}

// messageID returns the message ID by which the log removes duplicates: from
// the Idempotency-Key, or else the event's id: the same as of rooms.publish, and
// never that of a client's event or of another room.
func messageID(r *http.Request, room wire.Room, id string) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		key = id
	} else if len(key) > maxIdempotencyKey || !printable(key) {
		return "", wire.Errorf(wire.BadPayload, "the Idempotency-Key must be up to %d printable ASCII characters", maxIdempotencyKey)
	}
	if key == "" {
		return "", nil
	}
	return rooms.ServiceMessageID(room, key), nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
