package node

import (
	"context"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// endUser calls httpapi.EndUser. The engine is created with it before the list
// exists.
func (n *Node) endUser(ctx context.Context, uid string, lasts time.Duration) error {
	list := n.revoked.Load()
	if list == nil {
		return wire.Errorf(wire.Unavailable, "this node is starting; try again in a moment")
	}
	return httpapi.EndUser(list, n.log)(ctx, uid, lasts)
}
