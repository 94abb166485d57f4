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

// publicEvent makes what clients see of one stored message: the body's type
// and payload, the room's label and the sequence. A message that was injected
// without it gets the log's time. Where a frame is wanted and not an event,
// outbox.addStored is the same with less work.
func publicEvent(label string, seq uint64, body []byte, logTime string) (wire.Event, error) {
	st, err := wire.ReadStored(body)
	if err != nil {
		return wire.Event{}, err
	}
	return st.Event(label, seq, logTime), nil
}
