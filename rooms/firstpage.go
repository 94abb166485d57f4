package rooms

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// firstPage is the list of people in room_joined, encoded. Most joins into a
// large room do not change its first page, so that a storm of them encodes it
// a few times.
type firstPage struct {
	list json.RawMessage // nil: to be encoded
	full bool            // there are more users than it shows
	end  string          // its last uid
}

// changed says that a user came, went, or has another name; "" that anybody
// did.
func (f *firstPage) changed(uid string) {
	if !f.full || uid <= f.end {
		f.list = nil
	}
}

// into encodes p with the list.
func (f *firstPage) into(p wire.RoomJoined, t *presence.Table) json.RawMessage {
	if f.list == nil {
		users, next := t.List("", MaxPresenceList)
		if len(users) == 0 {
			users = []wire.User{}
		}
		f.list, f.full, f.end = wire.MarshalPayload(users), next != "", next
	}
	p.List = nil // encoded as the last field, []
	head := bytes.TrimSuffix(wire.MarshalPayload(p), []byte("[]}"))
	return slices.Concat(head, f.list, []byte("}"))
}
