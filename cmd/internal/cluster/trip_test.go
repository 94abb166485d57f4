//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// press stores events: at a node over HTTP, or in the log straight away.
type press struct {
	node *node
	nc   *nats.Conn // nil: over HTTP
}

// storeAttempt is how long one attempt to store an event may take.
const storeAttempt = 3 * time.Second

// store returns where the event is when it is acknowledged; until then it
// tries again under the same id.
func (p press) store(ctx context.Context, room, path string, ev wire.Event) (seq uint64, err error) {
	body := wire.AppendEvent(nil, ev)
	for {
		attempt, cancel := context.WithTimeout(ctx, storeAttempt)
		var answer struct{ Seq uint64 }
		if p.nc == nil {
			err = p.node.ask(attempt, http.MethodPost, path+"/events", json.RawMessage(body), &answer)
		} else {
			msg := &nats.Msg{Subject: wire.EventSubject(wire.Room(room)), Data: body, Header: nats.Header{nats.MsgIdHdr: {ev.ID}}}
			var ack *nats.Msg
			if ack, err = p.nc.RequestMsgWithContext(attempt, msg); err == nil {
				err = json.Unmarshal(ack.Data, &answer)
			}
		}
		cancel()
		if err == nil && answer.Seq > 0 {
			return answer.Seq, nil
		}
		select {
		case <-time.After(returnerPause):
		case <-ctx.Done():
			return 0, fmt.Errorf("store %s: %w", body, errors.Join(err, ctx.Err()))
		}
	}
}

// trip is one resume into a room that its node does not have open, and all
// that belongs to it: events before, while and after, a second client that
// resumes from what the node then remembers, and pages of history.
type trip struct {
	name  string
	uid   string
	room  string // as the user names it: "@me"
	from  press  // stores what comes from others; the user was at its node
	home  *node  // where the user resumes
	empty bool   // its position is that of a room without any event
	quick bool   // by join_room on a connection that is there, not with a new one

	since         wire.Position
	first, second *returner
	before        uint64 // the last event that was acknowledged when first asked
	pages         []page

	mu    sync.Mutex
	acked []stored
}

// page is a page of history, and how far it must go: its node told that this
// event is stored, before the page was asked for.
type page struct {
	upto   uint64
	events []stored
}

const (
	tripPatience   = 30 * time.Second // of a client for an answer
	settlePatience = 2 * time.Minute  // of the judge for what is missing; a busy machine has it late
	// settleWatch is how long everything is watched when it seems complete: a
	// room is compared with the log every 3 s, and what comes twice comes late.
	settleWatch = 4 * time.Second
)

// prepare gives the user a position and, where it has one, its connection.
func (g *trip) prepare(ctx context.Context) error {
	first := g.room
	if first == wire.InboxAlias {
		first = g.name
	}
	visit := newReturner(ctx, g.from.node, g.uid, g.room, wire.Position{})
	visit.asked = time.Now()
	defer visit.close()
	if err := visit.start("?room=" + first); err != nil {
		return err
	}
	err := visit.until("the room at the node before", tripPatience, func() bool { g.since = visit.pos; return visit.joins > 0 })
	if err != nil {
		return err
	}
	if !g.empty {
		for n := range 2 {
			if err := g.store(ctx, fmt.Sprint("old ", n)); err != nil {
				return err
			}
		}
		g.since.Seq = g.acked[1].seq
	}
	g.first = newReturner(ctx, g.home, g.uid, g.room, g.since)
	g.second = newReturner(ctx, g.home, g.uid, g.room, g.since)
	if !g.quick {
		return nil
	}
	// Who resumes its inbox is in no room beside it.
	if err := g.first.start(resume(wire.InboxAlias, wire.Position{Epoch: g.since.Epoch})); err != nil {
		return err
	}
	return g.first.until("the inbox at the node", tripPatience, func() bool { return g.first.inbox })
}

// run makes the trip; missed is how many events the user misses. It calls
// joined when the user is back.
func (g *trip) run(ctx context.Context, missed int, joined func()) error {
	for n := range missed {
		if err := g.store(ctx, fmt.Sprint("missed ", n)); err != nil {
			return err
		}
	}
	g.before = g.acked[len(g.acked)-1].seq
	if err := g.first.comeBack(); err != nil { // at once: replicas are behind
		return err
	}
	live := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 3 && err == nil; n++ {
			err = g.store(ctx, fmt.Sprint("live ", n))
		}
		live <- err
	}()
	err := g.stay(missed%2 == 0, joined)
	if err = errors.Join(err, <-live); err != nil {
		return err
	}
	return g.store(ctx, "the last")
}

// settle returns when everything has come and nothing more does.
func (g *trip) settle(t *testing.T) {
	over := time.Now().Add(settlePatience)
	for _, m := range []*returner{g.first, g.second} {
		// Who does not get everything is judged by what it got.
		_ = m.until("everything", time.Until(over), func() bool { return g.complete(m) })
	}
	last(t, settleWatch)
	g.close()
}

func (g *trip) close() {
	for _, m := range []*returner{g.first, g.second} {
		if m != nil {
			m.close()
		}
	}
}

// stay is what happens at the node where the user is now.
func (g *trip) stay(pageFirst bool, joined func()) error {
	if pageFirst {
		if err := g.ask("a page", 0); err != nil {
			return err
		}
	}
	if err := g.first.until("room_joined", tripPatience, func() bool { return g.first.joins > 0 }); err != nil {
		return err
	}
	joined()
	if err := g.second.comeBack(); err != nil {
		return err
	}
	if !pageFirst {
		if err := g.ask("a page", 0); err != nil {
			return err
		}
	}
	const own = "of its own"
	ev := wire.Event{Type: wire.TypeSendMessage, ID: own, Room: g.room, Payload: wire.MarshalPayload(wire.SendMessage{Message: own})}
	if g.room == wire.InboxAlias {
		ev.Type, ev.Room, ev.Payload = wire.TypePrivateMessage, "", wire.MarshalPayload(wire.SendMessage{Message: own, ToUID: g.uid})
	}
	ack, err := g.first.ask(ev, wire.TypeAck, tripPatience)
	if err != nil {
		return err
	}
	if err := g.ask("a page after its own event", ack.Seq); err != nil {
		return err
	}
	g.acknowledged(ack.Seq, own)
	return g.second.until("room_joined from memory", tripPatience, func() bool { return g.second.joins > 0 })
}

// ask asks for the newest page of history, which has room for everything.
func (g *trip) ask(id string, upto uint64) error {
	answer, err := g.first.ask(wire.Event{Type: wire.TypeGetHistory, ID: id, Payload: wire.MarshalPayload(wire.RoomRequest{Name: g.room, Limit: 100})}, wire.TypeHistory, tripPatience)
	if err != nil {
		return err
	}
	var body wire.History
	if err := json.Unmarshal(answer.Payload, &body); err != nil {
		return fmt.Errorf("%s: %w", answer.Payload, err)
	}
	got := page{upto: upto}
	for _, text := range body.Events {
		ev, err := wire.DecodeServer(text)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		got.events = append(got.events, eventOf(ev))
	}
	g.pages = append(g.pages, got)
	return nil
}

// store stores one event for the room, from outside.
func (g *trip) store(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, tripPatience)
	defer cancel()
	ev := wire.Event{Type: wire.TypeNewMessage, ID: g.name + " " + text, Payload: wire.MarshalPayload(wire.SendMessage{Message: text, From: "dealer"})}
	path := roomPath(g.room)
	if g.room == wire.InboxAlias {
		ev.Type, path = wire.TypePrivateMessage, userPath(g.uid)
	}
	seq, err := g.from.store(ctx, g.room, path, ev)
	if err == nil {
		g.acknowledged(seq, text)
	}
	return err
}

func (g *trip) acknowledged(seq uint64, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.acked = append(g.acked, stored{seq, text})
}

// complete reports whether so many events came to m as should have; m's lock
// is held.
func (g *trip) complete(m *returner) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, ev := range g.acked {
		if ev.seq > g.since.Seq {
			n++
		}
	}
	return len(m.came) >= n || len(m.refreshed) > 0
}
