package session

import (
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// hands are rules under which a user shows something to all and something to one.
type hands struct{ table.Defaults[int] }

type showing struct {
	All  string `json:"all"`
	One  string `json:"one"`
	UID  string `json:"uid"`
	Many int    `json:"many"` // more letters for all
}

type shown struct {
	Text string `json:"text"`
}

func (hands) Decide(_ int, c table.Command) (events []table.Event, err error) {
	p, err := table.Read[showing](c)
	if err != nil || c.User.From == table.FromEngine {
		return nil, err
	}
	events = append(events, table.Happened("shown", shown{p.All + strings.Repeat("x", p.Many)}))
	if p.UID != "" {
		hand := table.Happened("hand", shown{p.One})
		hand.To = []string{p.UID}
		events = append(events, hand)
	}
	return events, nil
}

func (hands) New() int                                { return 0 }
func (hands) Apply(n int, _ table.Event) (int, error) { return n + 1, nil }

// batched are the types of the events in what a client got, with a plus between.
func batched(t *testing.T, ev wire.Event) string {
	t.Helper()
	list, err := wire.EachOf(ev)
	must(t, err)
	var parts []string
	for _, one := range list {
		parts = append(parts, one.Type+" "+decode[shown](t, one.Payload).Text)
	}
	return strings.Join(parts, "+")
}

// What is for one user reaches all connections of that user and nobody else: live,
// in the history, and to who resumes. The others get the same event without it.
func TestHands(t *testing.T) {
	s := newStack(t, withHands)
	const room = "hands-1"
	ann, tab, bob := s.user("ann"), s.user("ann"), s.user("bob")
	epoch := ""
	for _, p := range []*peer{ann, tab, bob} {
		p.send(wire.TypeJoinRoom, "", "", `{"name":"`+room+`"}`)
		epoch = p.joined(room).Epoch
	}
	position := bob.acked("show", room, showing{All: "before"}).Seq
	seq := bob.acked("show", room, showing{All: "open", One: "an ace", UID: "ann"}).Seq
	const annSees, bobSees = "shown open+hand an ace", "shown open"
	at := func(ev wire.Event) bool { return ev.Seq == seq && wire.Logged(ev.Type) && ev.Type != wire.TypeAck }
	for _, p := range []*peer{ann, tab} {
		same(t, "of "+p.welcome.UID, batched(t, p.await("the step", at)), annSees)
	}
	history := func(p *peer) string {
		p.acked(wire.TypeGetHistory, room, `{"limit":1}`)
		page := decode[wire.History](t, p.awaitType(wire.TypeHistory).Payload)
		last, err := wire.DecodeServer(page.Events[0])
		must(t, err)
		return batched(t, last)
	}
	same(t, "in ann's history", history(ann), annSees)
	same(t, "in bob's history", history(bob), bobSees)
	for uid, want := range map[string]string{"ann": annSees, "bob": bobSees} {
		p := s.dial("token=" + s.token(uid) + "&resume=" + text("%s:%s:%d", room, epoch, position))
		same(t, "to "+uid+", who resumes", batched(t, p.await("the step", at)), want)
	}
}

// The largest that rules may tell at once reaches a client in one piece, live and
// in the history.
func TestLargestBatch(t *testing.T) {
	s := newStack(t, withHands)
	const room = "hands-1"
	ann := s.user("ann")
	ann.acked(wire.TypeJoinRoom, "", `{"name":"`+room+`"}`)
	many := rooms.MaxStepBytes - 1000
	seq := ann.acked("show", room, showing{All: "all ", One: "mine", UID: "ann", Many: many / 2}).Seq
	whole := func(ev wire.Event) {
		t.Helper()
		same(t, "of a large step", batched(t, ev), "shown all "+strings.Repeat("x", many/2)+"+hand mine")
	}
	seq = ann.acked("show", room, showing{All: "all ", Many: many}).Seq
	whole(ann.await("the batch", func(ev wire.Event) bool { return ev.Type == wire.TypeBatch }))
	ann.await("the largest", func(ev wire.Event) bool { return ev.Seq == seq && len(ev.Payload) > many })
	ann.acked(wire.TypeGetHistory, room, `{"before":`+text("%d", seq)+`}`)
	page := decode[wire.History](t, ann.awaitType(wire.TypeHistory).Payload)
	first, err := wire.DecodeServer(page.Events[len(page.Events)-1])
	must(t, err)
	whole(first)
}

func withHands(set *setup) {
	set.rooms.Tables = []rooms.Hosting{{Rooms: "hands-*", Game: table.Of(hands{})}}
}
