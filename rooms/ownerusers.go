package rooms

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func tableUser(u wire.User) table.User {
	return table.User{UID: u.UID, Name: u.Username, Avatar: u.AvatarID, Guest: wire.IsGuest(u.UID)}
}

// onRoster tells the rules who came and went.
func (o *owner) onRoster(m rosterChange) {
	for _, u := range m.joined {
		o.waiting = append(o.waiting, o.engineCommand(table.TypeJoined, tableUser(u)))
	}
	for _, u := range m.left {
		o.waiting = append(o.waiting, o.engineCommand(table.TypeLeft, tableUser(u)))
	}
}

// enter answers those who want to join. The state is given between two steps only.
func (o *owner) enter() {
	for _, m := range o.entering {
		err := o.log.Admit(m.user)
		var view json.RawMessage
		if err == nil {
			view, err = o.log.View(m.user.UID)
		}
		var refusal *table.Refusal
		switch {
		case errors.As(err, &refusal):
			m.done(decided{Error: wire.Errorf(wire.Refused, "%s", refusal.Reason)})
		case err != nil:
			o.fail(err)
			return
		default:
			m.done(decided{State: &tableState{State: view, Seq: o.log.Last(), Now: time.Now().UnixMilli()}})
		}
	}
	o.entering = nil
}
