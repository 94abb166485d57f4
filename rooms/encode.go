package rooms

import "github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"

// roomLabel is how clients see a room's name: a user's inbox is "@me" to the
// only user who can see it.
func roomLabel(room string) string {
	if _, ok := wire.InboxOwner(room); ok {
		return wire.InboxAlias
	}
	return room
}
