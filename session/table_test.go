package session

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What is said at a table by somebody who waits for no answer is decided as it was
// sent, though the buffers that it was read into are used again meanwhile, and
// told in that order, also by a node that hears all rooms.
func TestManyCommandsAtOnce(t *testing.T) {
	for _, hearAll := range []bool{false, true} {
		t.Run(fmt.Sprint("hears all ", hearAll), func(t *testing.T) {
			s := newStack(t, func(set *setup) {
				set.rooms.HearAll = hearAll
				set.rooms.Tables = []rooms.Hosting{{Rooms: "baccarat-*", Game: table.Of(baccarat.New(baccarat.Config{BetTime: time.Hour}))}}
			})
			ann := s.user("ann")
			const room, many = "baccarat-1", 200
			ann.acked(wire.TypeJoinRoom, "", `{"name":"`+room+`"}`)
			text := func(i int) string { return fmt.Sprintf("%d%*d", i, 1+i%50, i) }
			for i := range many {
				ann.send(wire.TypeSendMessage, fmt.Sprint("m-", i), room, wire.SendMessage{Message: text(i)})
			}
			told, acked := 0, 0
			for told < many || acked < many {
				ev := ann.read()
				switch ev.Type {
				case wire.TypeAck:
					acked++
				case wire.TypeError:
					t.Fatal(show(ev))
				}
				for _, payload := range said(t, ev) {
					var p wire.SendMessage
					must(t, json.Unmarshal(payload, &p))
					same(t, "a text", p.Message, text(told))
					told++
				}
			}
		})
	}
}

// said are the payloads of the messages in an event.
func said(t *testing.T, ev wire.Event) (list []json.RawMessage) {
	t.Helper()
	switch ev.Type {
	case wire.TypeNewMessage:
		list = append(list, ev.Payload)
	case wire.TypeBatch:
		for _, one := range decode[struct{ Events []wire.BatchedEvent }](t, ev.Payload).Events {
			if one.Type == wire.TypeNewMessage {
				list = append(list, one.Payload)
			}
		}
	}
	return list
}
