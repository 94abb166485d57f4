//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// listener hears what comes to one connection.
type listener struct {
	*peer
	mu  sync.Mutex
	got []wire.Event
}

// listenTo connects somebody who keeps what is heard.
func (a *attack) listenTo(v visit) *listener {
	a.t.Helper()
	l := &listener{}
	p, err := a.knock(v, func(text []byte) {
		var ev wire.Event
		if json.Unmarshal(text, &ev) != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, ev)
	})
	if err != nil {
		a.t.Fatalf("somebody who listens: %v", err)
	}
	l.peer = p
	return l
}

// events are those of a type so far.
func (l *listener) events(typ string) (list []wire.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range l.got {
		if ev.Type == typ {
			list = append(list, ev)
		}
	}
	return list
}

// answerTo waits for the ack or error of an event.
func (a *attack) answerTo(l *listener, id string) (answer wire.Event) {
	a.t.Helper()
	eventually(a.t, "the answer to "+id, patience, a.told(func() bool {
		for _, typ := range []string{wire.TypeAck, wire.TypeError} {
			all := l.events(typ)
			if i := slices.IndexFunc(all, func(ev wire.Event) bool { return ev.ID == id }); i >= 0 {
				answer = all[i]
				return true
			}
		}
		return false
	}))
	return answer
}

// uid is who the connection is.
func (a *attack) uid(l *listener) string {
	a.t.Helper()
	eventually(a.t, "the welcome", patience, a.told(func() bool { return len(l.events(wire.TypeWelcome)) > 0 }))
	var w wire.Welcome
	if err := json.Unmarshal(l.events(wire.TypeWelcome)[0].Payload, &w); err != nil {
		a.t.Fatal(err)
	}
	return w.UID
}

// codeOf is an error event's; "" for another event.
func codeOf(ev wire.Event) string {
	var e struct{ Code string }
	if ev.Type != wire.TypeError || json.Unmarshal(ev.Payload, &e) != nil {
		return ""
	}
	return e.Code
}

// Guests write to users who do not exist, and to one who does, as much as they
// can: nobody's history pays for it.
func TestPrivateMessagesToNobody(t *testing.T) {
	a := prepare(t, setup{name: "20 guests write to uids that do not exist", flags: []string{"--history-bytes=32MiB"}})
	const quiet = 50
	a.fill(a.server.connect(), []string{"quiet"}, quiet, 500)
	a.watch(nil)
	a.flood(flood{guests: 20, rooms: func(int) []string { return []string{"lobby"} }, rate: 20, from: documentation, back: 200 * time.Millisecond,
		event: func(_ string, n int) string {
			event := fmt.Sprintf(`{"type":"private_message","id":"p%d","payload":{"to_uid":"nobody-%d","message":""}}`, n, n)
			return strings.Replace(event, `"message":""`, `"message":"`+strings.Repeat("x", 15000)+`"`, 1)
		}}, lasts(4*time.Second, 30*time.Second))
	events, _ := a.kept("quiet")
	a.holds(events == quiet, "of %d events of a quiet room %d are left", quiet, events)
	stored := read(a.tally, func(t *tally) int64 { return t.acks })
	a.holds(stored == 0, "%d messages to nobody were stored", stored)
	a.end()
}

// A room of results is written by services; guests and users who may only read
// it cannot push anything out.
func TestResultsPushedOut(t *testing.T) {
	how := setup{name: "10 guests and a user without the right to speak push results out", env: keys,
		flags: []string{"--allow-guests", "--guest-rooms=results", "--guest-rooms=lobby", "--guest-speak=lobby", "--history=100"}}
	a := prepare(t, how)
	const results = 20
	for n := range results {
		a.server.post("/api/rooms/results/events", fmt.Sprintf(`{"type":"round_result","payload":{"winner":"banker","n":%d}}`, n))
	}
	a.watch(asUser(t, "bystander"))
	reader := a.listenTo(visit{query: "room=results", header: bearer(jwt(t, claims{"sub": "reader", "exp": time.Now().Add(time.Hour).Unix(), "rooms": []string{"results"}, "speak": []string{}}))})
	reader.say(`{"type":"send_message","id":"r1","room":"results","payload":{"message":"x"}}`)
	answer := a.answerTo(reader, "r1")
	a.holds(codeOf(answer) == "forbidden", "a user without the right to speak is answered %s %s", answer.Type, answer.Payload)
	a.flood(flood{guests: 10, rooms: func(int) []string { return []string{"results"} }, rate: 20, from: documentation, back: 200 * time.Millisecond,
		event: func(room string, n int) string { return message(room, n, 200) }}, lasts(3*time.Second, 20*time.Second))
	events, _ := a.kept("results")
	a.holds(events == results, "of %d results %d are left", results, events)
	stored := read(a.tally, func(t *tally) int64 { return t.acks })
	a.holds(stored == 0, "%d of the guests' messages were stored", stored)
	guest := visit{from: documentation(200), query: "room=vip"}
	if _, err := a.knock(guest, nil); err == nil {
		a.wrong("a guest is in a room that is not of --guest-rooms")
	}
	a.end()
}

// Guests of one address go from room to room, each of which was not there
// before.
func TestGuestsBringRooms(t *testing.T) {
	a := begin(t, setup{name: "20 guests of an address bring rooms into being"})
	var visits [20]int // of each guest
	a.flood(flood{guests: len(visits), rooms: func(guest int) []string {
		visits[guest]++
		return []string{fmt.Sprintf("born-%d-%d", guest, visits[guest])}
	}, rate: 19, from: oneAddress, back: 200 * time.Millisecond,
		event: func(room string, n int) string {
			return fmt.Sprintf(`{"type":"change_room","id":"c%d","payload":{"name":"%s-%d"}}`, n, room, n)
		}}, lasts(3*time.Second, time.Minute))
	open := a.server.metrics()["roomd_rooms"]
	bound := newRoomBurst + newRoomRate*(time.Since(a.started).Seconds()+1) + 2 // general, and the bystanders'
	a.holds(open <= bound, "%.0f rooms are open; the guests' budget is %.0f", open, bound)
	a.wave = fmt.Sprintf("%.0f rooms open", open)
	a.end()
}

// How many rooms the guests of an address bring into being: per second, and at
// once.
const newRoomRate, newRoomBurst = 4, 256
