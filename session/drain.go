package session

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Drain refuses new connections, tells each client to reconnect and closes it
// with 4000: at once when there are few, else spread evenly over most of the
// time that ctx leaves, so that the nodes that take them over are not hit by
// all at the same moment. It returns when all are gone, or with an error when
// ctx ends before.
func (m *Manager) Drain(ctx context.Context) error {
	clients := m.refuseNew()
	pause := drainPause(ctx, len(clients))
	for i, c := range clients {
		if pause > 0 && i > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return errDrainCut
			}
		}
		c.sendAway(len(clients))
	}
	gone := make(chan struct{})
	go func() {
		m.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return errDrainCut
	}
}

// drainPause is the time between two clients.
func drainPause(ctx context.Context, clients int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || clients <= drainAtOnce {
		return 0
	}
	return time.Until(deadline) * 8 / 10 / time.Duration(clients)
}

// sendAway tells the client to reconnect and closes it. Clients that leave
// together come back spread over a time that grows with their number.
func (c *Client) sendAway(together int) {
	spread := min(5*time.Second, time.Duration(together)*10*time.Millisecond)
	after := rand.N(spread + 1)
	_ = c.Send(wire.Event{Type: wire.TypeReconnect, Payload: wire.MarshalPayload(wire.Reconnect{AfterMS: after.Milliseconds()})}) // an error has closed it
	c.Close(wire.CloseDraining)
}
