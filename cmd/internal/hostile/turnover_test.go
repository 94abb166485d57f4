//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const guestsAtBudget = 50

// Fifty guests say as much as they may, for as long as it takes to write the
// whole log anew; what others have said is all still there. The log is smaller
// than by default, and so is what a room keeps, in the same proportion.
func TestFiftyGuestsUntilTheLogTurnsOver(t *testing.T) {
	logBytes, history := int64(8<<20), 200
	if inFull() {
		logBytes, history = 64<<20, 1000
	}
	a := prepare(t, setup{name: fmt.Sprintf("50 guests at their full budget while a log of %s turns over", size(logBytes)), env: keys,
		flags: []string{"--allow-guests", "--room-bytes=2MiB", fmt.Sprint("--history=", history), fmt.Sprint("--history-bytes=", logBytes)}})
	mine := a.leaveTraces(20)
	a.watch(asUser(t, "bystander"))
	length := time.Duration(1.3*float64(logBytes)/(guestsAtBudget*clientBytes)*float64(time.Second)) + time.Second
	a.flood(flood{guests: guestsAtBudget, rooms: func(int) []string { return []string{"general"} }, rate: 2, from: documentation, back: 200 * time.Millisecond, event: largeMessage}, length)
	a.traces(mine, logBytes)
	a.end()
}

// traces are what others left behind before the guests came.
type traces struct {
	alice                   *honest
	quiet, results, private int
}

// leaveTraces lets others say something, in each room each events.
func (a *attack) leaveTraces(each int) traces {
	a.t.Helper()
	left := traces{quiet: each, results: each, private: 10}
	a.fill(a.server.connect(), []string{"quiet"}, left.quiet, 300)
	for n := range left.results {
		a.server.post("/api/rooms/results/events", fmt.Sprintf(`{"type":"round_result","payload":{"n":%d}}`, n))
	}
	left.alice = a.join("ws://"+a.server.addr+"/ws", "quiet", asUser(a.t, "alice"))
	bob := a.join("ws://"+a.server.addr+"/ws", "quiet", asUser(a.t, "bob"))
	for n := range left.private {
		if _, err := bob.Publish(a.t.Context(), "", wire.TypePrivateMessage, map[string]any{"to_uid": "alice", "message": fmt.Sprint("private ", n)}); err != nil {
			a.t.Fatal(err)
		}
	}
	a.hears("alice", left.alice, "@me", left.private)
	return left
}

// traces are all still there, although more than the log holds was stored.
func (a *attack) traces(left traces, logBytes int64) {
	a.t.Helper()
	stored := read(a.tally, func(t *tally) int64 { return t.acks }) * large
	a.wave = fmt.Sprintf("%s were stored", size(stored))
	a.holds(stored > logBytes, "only %s were stored; the log holds %s", size(stored), size(logBytes))
	events, _ := a.kept("quiet")
	a.holds(events == left.quiet, "of %d events of a quiet room %d are left", left.quiet, events)
	events, _ = a.kept("results")
	a.holds(events == left.results, "of %d results %d are left", left.results, events)
	private := a.pages(left.alice, "@me")
	a.holds(private == left.private, "of %d private messages %d are left", left.private, private)
}

// Guests write to one who exists, small messages, as many as they can: where
// guests may not speak everywhere, they write to nobody.
func TestOnesInboxIsFilled(t *testing.T) {
	a := prepare(t, setup{name: "20 guests fill one user's inbox", env: keys, flags: []string{"--allow-guests"}})
	mine := a.leaveTraces(20)
	a.watch(asUser(t, "bystander"))
	a.flood(flood{guests: 20, rooms: func(int) []string { return []string{"general"} }, rate: 19, from: documentation, back: 200 * time.Millisecond,
		event: func(_ string, n int) string {
			return fmt.Sprintf(`{"type":"private_message","id":"p%d","payload":{"to_uid":"alice","message":"spam"}}`, n)
		}}, lasts(4*time.Second, 20*time.Second))
	private := a.pages(mine.alice, "@me")
	a.holds(private == mine.private, "of %d private messages %d are left", mine.private, private)
	a.end()
}

// Guests fill rooms of their own, many of them, where guests may speak in every
// room.
func TestManyRoomsUntilTheLogTurnsOver(t *testing.T) {
	logBytes, each := int64(16<<20), 8 // of so small a log no room keeps more in the end
	if inFull() {
		logBytes, each = 192<<20, 20
	}
	a := prepare(t, setup{name: fmt.Sprintf("50 guests in 100 rooms while a log of %s turns over", size(logBytes)), env: keys,
		flags: []string{"--allow-guests", "--guest-rooms=*", "--guest-speak=chat-*", "--history=100", fmt.Sprint("--history-bytes=", logBytes)}})
	mine := a.leaveTraces(each)
	a.watch(asUser(t, "bystander"))
	length := time.Duration(1.3*float64(logBytes)/(guestsAtBudget*clientBytes)*float64(time.Second)) + time.Second
	a.flood(flood{guests: guestsAtBudget, rooms: numbered("chat", 2), rate: 2, from: documentation, back: 200 * time.Millisecond, event: largeMessage}, length)
	a.traces(mine, logBytes)
	a.end()
}

// Guests fill many inboxes, until all inboxes together would be over their
// bound: those with the most in them keep less.
func TestManyInboxesUntilTheirLogTurnsOver(t *testing.T) {
	inboxBytes, receivers := int64(64<<20), 20
	a := prepare(t, setup{name: fmt.Sprintf("50 guests fill %d inboxes while their log of %s turns over", guestsAtBudget+receivers, size(inboxBytes)), env: keys,
		flags: []string{"--allow-guests", "--guest-rooms=*", "--guest-speak=*", fmt.Sprint("--inbox-bytes=", inboxBytes)}})
	mine := a.leaveTraces(20)
	for n := range receivers {
		p, err := a.knock(visit{query: "room=general", header: bearer(userToken(t, fmt.Sprint("receiver-", n)))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.leave() // was here
		a.peers.remove(p)
	}
	a.watch(asUser(t, "bystander"))
	length := time.Duration(1.3*float64(inboxBytes)/(2*guestsAtBudget*clientBytes)*float64(time.Second)) + time.Second // each is stored for its sender too
	a.flood(flood{guests: guestsAtBudget, rooms: numbered("r", 1), rate: 2, from: documentation, back: 200 * time.Millisecond, event: func(_ string, n int) string {
		event := fmt.Sprintf(`{"type":"private_message","id":"p%d","payload":{"to_uid":"receiver-%d","message":""}}`, n, n%receivers)
		return strings.Replace(event, `"message":""`, `"message":"`+strings.Repeat("x", 15000)+`"`, 1)
	}}, length)
	stored := 2 * 15000 * read(a.tally, func(t *tally) int64 { return t.acks })
	a.wave = fmt.Sprintf("%s were stored", size(stored))
	a.holds(stored > inboxBytes, "only %s were stored; the log holds %s", size(stored), size(inboxBytes))
	private := a.pages(mine.alice, "@me")
	a.holds(private == mine.private, "of %d private messages %d are left", mine.private, private)
	a.end()
}
