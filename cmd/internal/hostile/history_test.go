//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

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
