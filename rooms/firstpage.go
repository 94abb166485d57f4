package rooms

import (
	"encoding/json"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// firstPage is the list of people in the room_joined of a room that has more
// than it shows, encoded. Most joins into such a room do not change its first
// page, so that a storm of them encodes it a few times.
type firstPage struct {
	list json.RawMessage
	end  string // its last uid
}

// firstPageChanged says that a user came, went, or has another name; "" that
// anybody did.
func (r *roster) firstPageChanged(uid string) {
	if r.first != nil && uid <= r.first.end {
		r.first = nil
	}
}

// show completes p with how many there are and the first page of them.
func (r *roster) show(p *wire.RoomJoined) {
	r.presence.Shown()
	p.Count = r.presence.Count()
	if r.first == nil {
		users, next := r.presence.List("", MaxPresenceList)
		if next == "" {
			p.List = users
			return
		}
		r.first = &firstPage{list: wire.EncodeUsers(users), end: next}
	}
	p.EncodedList = r.first.list
}
