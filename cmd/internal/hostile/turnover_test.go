//go:build linux

package hostile

import (
	"context"
	"encoding/json"
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

// Five guests write to one user, small messages, as many as push out all that an
// inbox keeps: the friends' are still there, and friends still get through.
func TestFiveGuestsWriteToOneInbox(t *testing.T) {
	history := 200
	if inFull() {
		history = 1000
	}
	a := prepare(t, setup{name: fmt.Sprintf("5 guests write to one user, whose inbox keeps %d", history), env: keys,
		flags: []string{"--allow-guests", "--guest-rooms=*", "--guest-speak=*", fmt.Sprint("--history=", history)}})
	mine := a.leaveTraces(20)
	a.watch(asUser(t, "bystander"))
	const guests, each = 5, 19
	length := time.Duration(1.5*float64(history)/(guests*each)*float64(time.Second)) + time.Second
	a.flood(flood{guests: guests, rooms: func(int) []string { return []string{"general"} }, rate: each, from: documentation, back: 200 * time.Millisecond,
		event: func(_ string, n int) string {
			return fmt.Sprintf(`{"type":"private_message","id":"p%d","payload":{"to_uid":"alice","message":"spam"}}`, n)
		}}, length)
	sent := read(a.tally, func(t *tally) int64 { return t.sent })
	a.holds(sent > int64(history), "only %d were sent; the inbox keeps %d", sent, history)
	carl := a.join("ws://"+a.server.addr+"/ws", "quiet", asUser(t, "carl"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := carl.Publish(ctx, "", wire.TypePrivateMessage, map[string]any{"to_uid": "alice", "message": "from another friend"})
	a.holds(err == nil, "a friend's message after the flood: %v", err)
	a.holds(a.counted("roomd_session_limited_inboxes_total") > 0, "no message is counted as one too many")
	friends := map[string]int{}
	for _, raw := range a.history(mine.alice, "@me") {
		var ev wire.Event
		var msg wire.Message
		if json.Unmarshal(raw, &ev) != nil || json.Unmarshal(ev.Payload, &msg) != nil {
			t.Fatalf("an event of the history: %s", raw)
		}
		friends[msg.UID]++
	}
	a.holds(friends["bob"] == mine.private && friends["carl"] == 1, "of a friend's %d private messages %d are left, and %d of the one after the flood", mine.private, friends["bob"], friends["carl"])
	a.end()
}

// receivers lets so many users in, and out again: they were here.
func (a *attack) receivers(n int) {
	a.t.Helper()
	for n := range n {
		p, err := a.knock(visit{query: "room=general", header: bearer(userToken(a.t, fmt.Sprint("receiver-", n)))}, nil)
		if err != nil {
			a.t.Fatal(err)
		}
		p.leave() // was here
		a.peers.remove(p)
	}
}

// largePrivate is a private message of letter bytes to one of so many receivers.
func largePrivate(receivers int) func(string, int) string {
	return func(_ string, n int) string {
		event := fmt.Sprintf(`{"type":"private_message","id":"p%d","payload":{"to_uid":"receiver-%d","message":""}}`, n, n%receivers)
		return strings.Replace(event, `"message":""`, `"message":"`+strings.Repeat("x", letter)+`"`, 1)
	}
}

const letter = 15000

// Users fill many inboxes, until all inboxes together would be over their bound:
// those with the most in them keep less.
func TestManyInboxesUntilTheirLogTurnsOver(t *testing.T) {
	inboxBytes, receivers := int64(64<<20), 20
	a := prepare(t, setup{name: fmt.Sprintf("50 users fill %d inboxes while their log of %s turns over", guestsAtBudget+receivers, size(inboxBytes)), env: keys,
		flags: []string{"--inbox-rate=0", fmt.Sprint("--inbox-bytes=", inboxBytes)}})
	mine := a.leaveTraces(20)
	a.receivers(receivers)
	users := make([]string, guestsAtBudget)
	for n := range users {
		users[n] = userToken(t, fmt.Sprint("writer-", n))
	}
	a.watch(asUser(t, "bystander"))
	length := time.Duration(1.3*float64(inboxBytes)/(2*guestsAtBudget*clientBytes)*float64(time.Second)) + time.Second // each is stored for its sender too
	a.flood(flood{guests: guestsAtBudget, tokens: users, rooms: numbered("r", 1), rate: 2, from: documentation, back: 200 * time.Millisecond, event: largePrivate(receivers)}, length)
	stored := 2 * letter * read(a.tally, func(t *tally) int64 { return t.acks })
	a.wave = fmt.Sprintf("%s were stored", size(stored))
	a.holds(stored > inboxBytes, "only %s were stored; the log holds %s", size(stored), size(inboxBytes))
	private := a.pages(mine.alice, "@me")
	a.holds(private == mine.private, "of %d private messages %d are left", mine.private, private)
	a.end()
}

// What guests may have stored in inboxes, all together: per second, and at once.
const (
	guestInboxBytes = 256 << 10
	guestInboxBurst = 32 << 20
)

// Guests fill many inboxes: all together have no more stored than they may.
func TestGuestsFillManyInboxes(t *testing.T) {
	const receivers = 100
	a := prepare(t, setup{name: fmt.Sprintf("50 guests fill %d inboxes", guestsAtBudget+receivers), env: keys,
		flags: []string{"--allow-guests", "--guest-rooms=*", "--guest-speak=*"}})
	mine := a.leaveTraces(20)
	a.receivers(receivers)
	a.watch(asUser(t, "bystander"))
	guests := flood{guests: guestsAtBudget, rooms: numbered("r", 1), rate: 6, from: documentation, back: 200 * time.Millisecond, event: largePrivate(receivers)}
	a.flood(guests, lasts(8*time.Second, time.Minute))
	for range 12 { // a slow machine takes longer to be sent as much
		if a.counted("roomd_session_limited_guest_inboxes_total") == 0 {
			a.flood(guests, 5*time.Second)
		}
	}
	bound := 1.1 * (guestInboxBurst + guestInboxBytes*time.Since(a.started).Seconds()) // with the envelopes
	stored := 2 * letter * read(a.tally, func(t *tally) int64 { return t.acks })
	a.wave = fmt.Sprintf("%s were stored", size(stored))
	a.holds(float64(stored) <= bound, "%s were stored; the budget of guests is %s", size(stored), size(int64(bound)))
	a.holds(a.counted("roomd_session_limited_guest_inboxes_total") > 0, "nothing is counted as too much")
	private := a.pages(mine.alice, "@me")
	a.holds(private == mine.private, "of %d private messages %d are left", mine.private, private)
	a.end()
}
