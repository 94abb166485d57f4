package node

import (
	"context"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// endUser is httpapi.EndUser, which the engine has before there is a list.
func (n *Node) endUser(ctx context.Context, uid string, lasts time.Duration) error {
	list := n.revoked.Load()
	if list == nil {
		return wire.Errorf(wire.Unavailable, "this node is starting; try again in a moment")
	}
	return httpapi.EndUser(list, n.log)(ctx, uid, lasts)
}
