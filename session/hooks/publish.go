package hooks

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
)

type publishRequest struct {
	ID    string          `json:"id"` // of the request; the event has its own
	UID   string          `json:"uid"`
	Guest bool            `json:"guest"`
	Room  wire.Room       `json:"room"`
	Event json.RawMessage `json:"event"`
}

type publishResponse struct {
	refusable
	OK      bool            `json:"ok"`
	Payload json.RawMessage `json:"payload"` // absent or null: not changed
}

func (a *publishResponse) validate() error {
	if !a.OK {
		return errors.New("the answer has no ok: true and no error")
	}
	return nil
}

// Publish asks the backend about an event. It does not block: the function that
// it returns does, for up to Timeout, and must be called. The requests of one
// node arrive in the order of these calls. The payload is nil if it is not
// changed. An error that is no *wire.Error is an internal one.
func (h *Hooks) Publish(ctx context.Context, p session.PublishRequest) func() (json.RawMessage, error) {
	receive, err := h.callPublish(ctx, p)
	return func() (json.RawMessage, error) {
		if err != nil {
			return nil, err
		}
		var a publishResponse
		if err := receive(&a); err != nil || bytes.Equal(a.Payload, []byte("null")) {
			return nil, err
		}
		return a.Payload, nil
	}
}

func (h *Hooks) callPublish(ctx context.Context, p session.PublishRequest) (func(response) error, error) {
	ev, err := wire.Decode(p.Event)
	if err != nil {
		return nil, fmt.Errorf("hooks: read an event that is to be stored: %w", err)
	}
	ev.ID = p.ID
	return h.publish.call(ctx, publishRequest{
		ID: rand.Text(), UID: p.Who.UID, Guest: p.Who.Guest, Room: p.Room, Event: wire.AppendEvent(nil, ev),
	})
}
