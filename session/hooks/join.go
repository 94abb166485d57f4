package hooks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
)

type joinQuestion struct {
	ID     string    `json:"id"` // of the question
	UID    string    `json:"uid"`
	Guest  bool      `json:"guest"`
	Room   wire.Room `json:"room"`
	Resume bool      `json:"resume"`
}

type joinAnswer struct {
	refusable
	OK   bool    `json:"ok"`
	ForS float64 `json:"for_s"`
}

func (a *joinAnswer) check() error {
	switch {
	case !a.OK:
		return errors.New("the answer has no ok: true and no error")
	case !(a.ForS >= 0):
		return fmt.Errorf("for_s is %v; it is a number of seconds", a.ForS)
	}
	return nil
}

// Join asks whether a client may enter a room, unless a yes from before counts.
func (h *Hooks) Join(ctx context.Context, j session.JoinRequest) error {
	p := place{j.Who.UID, j.Room}
	yes, kicks := h.kept.has(p, time.Now())
	if yes {
		h.stats.JoinKept.Add(1)
		return nil
	}
	answer, err := h.join.ask(ctx, joinQuestion{ID: rand.Text(), UID: j.Who.UID, Guest: j.Who.Guest, Room: j.Room, Resume: j.Resume})
	if err != nil {
		return err
	}
	var a joinAnswer
	if err := answer(&a); err != nil {
		return err
	}
	keepFor := time.Duration(min(a.ForS, MaxKeepFor.Seconds()) * float64(time.Second))
	if keepFor > 0 && h.kept.keep(p, time.Now().Add(keepFor), kicks) {
		h.stats.Kept.Add(1)
	}
	return nil
}
