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

type publishQuestion struct {
	ID    string          `json:"id"` // of the question; the event has its own
	UID   string          `json:"uid"`
	Guest bool            `json:"guest"`
	Room  wire.Room       `json:"room"`
	Event json.RawMessage `json:"event"`
}

type publishAnswer struct {
	refusable
	OK      bool            `json:"ok"`
	Payload json.RawMessage `json:"payload"` // absent or null: as it is
}

func (a *publishAnswer) check() error {
	if !a.OK {
		return errors.New("the answer has no ok: true and no error")
	}
	return nil
}

// Publish asks about an event. The questions of one node arrive in the order of
// these calls.
func (h *Hooks) Publish(ctx context.Context, p session.PublishRequest) func() (json.RawMessage, error) {
	answer, err := h.askPublish(ctx, p)
	return func() (json.RawMessage, error) {
		if err != nil {
			return nil, err
		}
		var a publishAnswer
		if err := answer(&a); err != nil || bytes.Equal(a.Payload, []byte("null")) {
			return nil, err
		}
		return a.Payload, nil
	}
}

func (h *Hooks) askPublish(ctx context.Context, p session.PublishRequest) (func(reply) error, error) {
	ev, err := wire.Decode(p.Event)
	if err != nil {
		return nil, fmt.Errorf("hooks: read an event that is to be stored: %w", err)
	}
	ev.ID = p.ID
	return h.publish.ask(ctx, publishQuestion{
		ID: rand.Text(), UID: p.Who.UID, Guest: p.Who.Guest, Room: p.Room, Event: wire.AppendEvent(nil, ev),
	})
}
