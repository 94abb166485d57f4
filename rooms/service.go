package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The NATS micro service for backends: any node answers, for all nodes.
const (
	ServiceName    = "roomd"
	serviceVersion = "0.1.0"
	serviceGroup   = "rooms"
)

// serviceRequest is the body of a request to any endpoint; each uses some of
// the fields.
type serviceRequest struct {
	Room   string          `json:"room"`
	UID    string          `json:"uid"`
	Prefix string          `json:"prefix"` // of list
	After  string          `json:"after"`
	Before uint64          `json:"before"`
	Limit  int             `json:"limit"`
	ID     string          `json:"id"`    // idempotency key of publish
	Event  json.RawMessage `json:"event"` // of publish
	ForS   *int64          `json:"for_s"` // of kick: seconds

	room wire.Room // Room, parsed; "": none is named

	Connections bool `json:"connections"` // of members: list these, for who follows the feed
}

// serve registers rooms.list, rooms.members, rooms.publish, rooms.history and
// rooms.kick.
func (e *Engine) serve() error {
	service, err := micro.AddService(e.nc, micro.Config{Name: ServiceName, Version: serviceVersion, Description: "rooms of all nodes"})
	if err != nil {
		return fmt.Errorf("rooms: offer the service %s: %w", ServiceName, err)
	}
	endpoints := map[string]func(context.Context, serviceRequest) (any, error){
		"list": e.serveList,
		"members": func(ctx context.Context, r serviceRequest) (any, error) {
			if r.Connections {
				return e.Connections(ctx, r.room, r.After, r.Limit)
			}
			return e.Online(ctx, r.room, r.After, r.Limit)
		},
		"history": e.serveHistory,
		"publish": e.servePublish,
		"kick":    e.serveKick,
	}
	group := service.AddGroup(serviceGroup)
	for name, fn := range endpoints {
		if err := group.AddEndpoint(name, micro.HandlerFunc(func(req micro.Request) { e.serveOne(name, req, fn) })); err != nil {
			return fmt.Errorf("rooms: offer the endpoint %s.%s: %w", serviceGroup, name, err)
		}
	}
	return nil
}

// serveOne answers a request on a background goroutine, so that a slow one does
// not delay the others. It publishes the answer itself: the methods of req may
// be used only on the service's goroutine, which uses req again after the
// handler has returned.
func (e *Engine) serveOne(name string, req micro.Request, fn func(context.Context, serviceRequest) (any, error)) {
	body, reply := req.Data(), req.Reply()
	e.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
		defer cancel()
		answer, err := e.callService(ctx, name, body, fn)
		msg := &nats.Msg{Subject: reply}
		if err == nil {
			msg.Data, err = json.Marshal(answer)
		}
		if err != nil {
			shown := wire.AsError(err)
			if !wire.Known(err) {
				e.cfg.Log.Error().Err(err).Str("endpoint", name).Msg("a request to the service was answered with internal")
			}
			msg.Header = nats.Header{micro.ErrorHeader: {shown.Message}, micro.ErrorCodeHeader: {string(shown.Code)}}
		}
		err = e.nc.PublishMsg(msg)
		if err != nil && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("endpoint", name).Msg("a request to the service could not be answered")
		}
	})
}

func (e *Engine) callService(ctx context.Context, name string, body []byte, fn func(context.Context, serviceRequest) (any, error)) (any, error) {
	var r serviceRequest
	if len(body) > 0 {
		if err := wire.UnmarshalExact(body, &r); err != nil {
			return nil, wire.Errorf(wire.BadJSON, "the request must be a JSON object with the fields of rooms.%s, each once", name)
		}
	}
	if r.Room != "" || name != "list" && name != "kick" && !(name == "members" && r.Connections) {
		room, err := wire.ParseRoom(r.Room)
		if err != nil {
			return nil, err
		}
		r.room = room
	}
	if wire.SpaceOf(r.room) == wire.SpaceInboxes && (name == "history" || name == "members") {
		return nil, wire.Errorf(wire.Forbidden, "an inbox is read by its user only; rooms.%s is for rooms", name)
	}
	return fn(ctx, r)
}

// serveHistory answers one page, of the newest events of which NATS takes in one
// message; the rest are on the next page.
func (e *Engine) serveHistory(ctx context.Context, r serviceRequest) (any, error) {
	page, err := e.History(ctx, r.room, r.Before, r.Limit)
	if err != nil {
		return nil, err
	}
	left := int(e.nc.MaxPayload()) - answerFrame
	for i := len(page.Events) - 1; i >= 0; i-- {
		if left -= len(page.Events[i]) + len(","); left < 0 {
			page.Events, page.More = page.Events[i+1:], true
			break
		}
	}
	return page, nil
}

// answerFrame is more than the bytes of an answer of rooms.list, or
// rooms.history, beside its rooms, or events.
const answerFrame = 1 << 10

// serveList lists as many rooms as NATS takes in one message.
func (e *Engine) serveList(ctx context.Context, r serviceRequest) (any, error) {
	ask := wire.GetRooms{Prefix: r.Prefix, After: r.After, Limit: r.Limit}
	if err := ask.Clean(); err != nil {
		return nil, err
	}
	most := min(int(e.nc.MaxPayload())-answerFrame, MaxRoomsBytes)
	return e.Rooms(ctx, lobby.Query{Prefix: ask.Prefix, After: ask.After, Limit: ask.Limit}, most)
}

func (e *Engine) servePublish(ctx context.Context, r serviceRequest) (any, error) {
	_, body, err := wire.ReadBody(r.Event)
	if err != nil {
		return nil, err
	}
	msgID := ""
	if r.ID != "" {
		msgID = ServiceMessageID(r.room, r.ID)
	}
	stored, err := e.Publish(ctx, r.room, body, PublishOptions{ID: msgID})
	return map[string]any{"seq": stored.Seq, "duplicate": stored.Duplicate}, err
}

// serveKick removes a user from a room, or, if none is named, ends the user's
// sessions and revokes the credentials issued so far.
func (e *Engine) serveKick(ctx context.Context, r serviceRequest) (any, error) {
	if r.UID == "" {
		return nil, wire.Errorf(wire.BadPayload, "uid must name a user")
	}
	if r.Room != "" {
		n, err := e.Remove(ctx, r.room, r.UID)
		return map[string]any{"removed": n}, err
	}
	if err := e.revokeCredentials(ctx, r); err != nil {
		return nil, err
	}
	n, err := e.CloseUser(ctx, r.UID, wire.CloseRemoved)
	return map[string]any{"closed": n}, err
}

func (e *Engine) revokeCredentials(ctx context.Context, r serviceRequest) error {
	lasts := time.Duration(-1)
	switch {
	case r.ForS == nil && e.cfg.EndUser == nil:
		return nil
	case r.ForS == nil:
	case e.cfg.EndUser == nil && *r.ForS != 0:
		return wire.Errorf(wire.BadPayload, "for_s is not possible here: this program only ends connections")
	case *r.ForS < 0 || *r.ForS > math.MaxInt64/int64(time.Second):
		return wire.Errorf(wire.BadPayload, "for_s is %d; it must be a number of seconds", *r.ForS)
	default:
		lasts = time.Duration(*r.ForS) * time.Second
	}
	return e.endUser(ctx, r.UID, lasts)
}

// endUser calls Config.EndUser, if there is one.
func (e *Engine) endUser(ctx context.Context, uid string, lasts time.Duration) (err error) {
	if e.cfg.EndUser == nil {
		return nil
	}
	defer e.recoverCallback("EndUser", &err)
	return wire.ErrorOrNil(e.cfg.EndUser(ctx, uid, lasts))
}
