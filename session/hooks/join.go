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

type joinRequest struct {
	ID     string    `json:"id"` // of the request
	UID    string    `json:"uid"`
	Guest  bool      `json:"guest"`
	Room   wire.Room `json:"room"`
	Resume bool      `json:"resume"`
}

type joinResponse struct {
	refusable
	OK   bool    `json:"ok"`
	ForS float64 `json:"for_s"`
}

func (a *joinResponse) validate() error {
	switch {
	case !a.OK:
		return errors.New("the answer has no ok: true and no error")
	case !(a.ForS >= 0):
		return fmt.Errorf("for_s is %v; it is a number of seconds", a.ForS)
	}
	return nil
}

// Join asks the backend whether a client may join a room, unless that is
// cached. It blocks for up to Timeout. Its error is a *wire.Error.
func (h *Hooks) Join(ctx context.Context, j session.JoinRequest) error {
	p := cacheKey{j.Who.UID, j.Room}
	allowed, kicks := h.cache.has(p, time.Now())
	if allowed {
		h.stats.JoinKept.Add(1)
		return nil
	}
	receive, err := h.join.call(ctx, joinRequest{ID: rand.Text(), UID: j.Who.UID, Guest: j.Who.Guest, Room: j.Room, Resume: j.Resume})
	if err != nil {
		return err
	}
	var a joinResponse
	if err := receive(&a); err != nil {
		return err
	}
	ttl := time.Duration(min(a.ForS, MaxCacheTTL.Seconds()) * float64(time.Second))
	if ttl > 0 && h.cache.put(p, time.Now().Add(ttl), kicks) {
		h.stats.Kept.Add(1)
	}
	return nil
}
