package session

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Drain refuses new connections, tells each client to reconnect and closes it
// with 4000: all at once when there are few, else spread evenly over most of
// the time that ctx leaves, so that the other nodes do not get all clients at
// the same moment. It returns when all connections are closed, or with an error
// when ctx ends first.
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
		c.drain(len(clients))
	}
	allClosed := make(chan struct{})
	go func() {
		m.running.Wait()
		close(allClosed)
	}()
	select {
	case <-allClosed:
		return nil
	case <-ctx.Done():
		return errDrainCut
	}
}

// drainPause returns the time between two clients.
func drainPause(ctx context.Context, clients int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || clients <= drainAtOnce {
		return 0
	}
	return time.Until(deadline) * 8 / 10 / time.Duration(clients)
}

// drain tells the client to reconnect and closes it. The clients of one Drain
// are told to wait a random time, which may be longer the more there are.
func (c *Client) drain(together int) {
	spread := min(5*time.Second, time.Duration(together)*10*time.Millisecond)
	after := rand.N(spread + 1)
	_ = c.Send(wire.Event{Type: wire.TypeReconnect, Payload: wire.MarshalPayload(wire.Reconnect{AfterMS: after.Milliseconds()})}) // an error has closed it
	c.Close(wire.CloseDraining)
}
