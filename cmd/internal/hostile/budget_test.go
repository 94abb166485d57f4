//go:build linux

package hostile

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Two guests speak to 200, as loud as they can.
func TestTwoGuestsIntoARoomOf200(t *testing.T) {
	const members = 200
	a := begin(t, setup{name: "2 guests into a room of 200"})
	var all sync.WaitGroup
	for n := range members {
		all.Go(func() {
			if _, err := a.knock(visit{from: documentation(n), query: "room=crowd"}, nil); err != nil {
				t.Errorf("a member: %v", err)
			}
		})
	}
	all.Wait()
	before, start := a.counted("roomd_session_bytes_total"), time.Now()
	a.flood(flood{guests: 2, rooms: func(int) []string { return []string{"crowd"} }, rate: 20, event: largeMessage, from: documentation, back: 200 * time.Millisecond},
		lasts(3*time.Second, time.Minute))
	took := time.Since(start).Seconds()
	out := a.counted("roomd_session_bytes_total") - before
	a.wave = fmt.Sprintf("members got %s/s", size(int64(out/took)))
	// What a room takes of guests in this time, told to all, and the envelopes.
	bound := 1.2 * members * float64(roomBytes) * (took + burstSeconds)
	a.holds(out <= bound, "the room of %d got %s in %.1f s; its budget is %s", members, size(int64(out)), took, size(int64(bound)))
	a.end()
}

// Defaults of the budgets in bytes: per second, and how many seconds of it may
// come at once.
const (
	clientBytes  = 32 << 10
	addressBytes = 32 * clientBytes
	answerBytes  = 8 * addressBytes // that answers to one address may have
	roomBytes    = 256 << 10
	burstSeconds = 4
)

// Five guests read the history, which costs the server a hundred times what it
// costs them.
func TestHistoryFlood(t *testing.T) {
	a := prepare(t, setup{name: "5 guests read pages of 1.6 MB"})
	a.fill(a.server.connect(), []string{"pages"}, 400, 16000)
	a.watch(nil)
	before := a.counted("roomd_session_bytes_total")
	a.flood(flood{guests: 5, rooms: func(int) []string { return []string{"pages"} }, rate: 20, from: oneAddress, back: 200 * time.Millisecond,
		event: func(room string, n int) string {
			return fmt.Sprintf(`{"type":"get_history","id":"h%d","payload":{"name":%q,"limit":100}}`, n, room)
		}}, lasts(3*time.Second, 30*time.Second))
	out := a.counted("roomd_session_bytes_total") - before
	took := time.Since(a.started).Seconds()
	a.wave = fmt.Sprintf("%s/s came out", size(int64(out/took)))
	bound := 1.2*answerBytes*(took+burstSeconds) + 5*1.7e6 // each may overdraw by a page
	a.holds(out <= bound, "%s came out in %.1f s; the budget is %s", size(int64(out)), took, size(int64(bound)))
	a.end()
}

// The same with a position before what the room remembers.
func TestHistoryBeforeTheRing(t *testing.T) {
	a := prepare(t, setup{name: "5 guests read what is not in memory any more"})
	nc := a.server.connect()
	a.fill(nc, []string{"deep"}, 1000, 2000)
	a.watch(nil)
	a.flood(flood{guests: 5, rooms: func(int) []string { return []string{"deep"} }, rate: 20, from: oneAddress, back: 200 * time.Millisecond,
		event: func(room string, n int) string {
			return fmt.Sprintf(`{"type":"get_history","id":"h%d","payload":{"name":%q,"limit":100,"before":%d}}`, n, room, 200+n%100)
		}}, lasts(3*time.Second, 30*time.Second))
	a.end()
}

// Frames that carry nothing, as fast as a connection takes them.
func TestFramesThatCarryNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first []byte // sent once
		frame []byte // sent again and again
	}{
		{"empty fragments", appendFrame(nil, opText, nil), appendFrame(nil, opContinue, nil)},
		{"fragments of a byte", appendFrame(nil, opText, []byte("{")), appendFrame(nil, opContinue, []byte(" "))},
		{"pongs", nil, appendFrame(nil, finalBit|opPong, nil)},
		{"pings", nil, appendFrame(nil, finalBit|opPing, nil)},
		{"empty messages", nil, appendFrame(nil, finalBit|opText, nil)},
		{"binary messages", nil, appendFrame(nil, finalBit|2, []byte("x"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := begin(t, setup{name: tt.name + ", as fast as they go"})
			p, err := a.knock(visit{from: documentation(1)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p.write(tt.first)
			chunk := bytes.Repeat(tt.frame, 32<<10/len(tt.frame))
			for end := time.Now().Add(lasts(3*time.Second, 10*time.Second)); time.Now().Before(end) && !p.over(); {
				if !p.write(chunk) {
					break
				}
			}
			p.awaitEnd(t.Context(), 2*time.Second)
			took := read(a.tally, func(t *tally) int64 { return t.sentBytes })
			a.holds(p.over(), "it is not closed after %s", size(took))
			a.holds(took < 16<<20, "it took %s", size(took)) // most of that waits in the two kernels' buffers
			a.end()
		})
	}
}

// A message that comes byte by byte and is never complete.
func TestSlowMessages(t *testing.T) {
	a := begin(t, setup{name: "messages that drip, a byte at a time"})
	length := lasts(2*time.Second, 30*time.Second) // a message has 15 s
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			p, err := a.knock(visit{from: documentation(n)}, nil)
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			raw := appendFrame(nil, finalBit|opText, bytes.Repeat([]byte(" "), 4000))
			p.write(raw[:20])
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for i := 20; i < len(raw); i++ {
				select {
				case <-p.done:
					return
				case <-tick.C:
				}
				if time.Since(a.started) > length || !p.write(raw[i:i+1]) {
					return
				}
			}
		})
	}
	all.Wait()
	closed := read(a.tally, func(t *tally) (n int64) {
		for _, count := range t.closed {
			n += count
		}
		return n
	})
	a.holds(closed == 20 || !inFull(), "%d of 20 were closed", closed)
	a.end()
}

// Who bursts and pauses stays below any limit that forgets.
func TestBurstAndPause(t *testing.T) {
	const events = 40 + 99 // what --burst lets through, and one less than what was once too many in 3 s
	rest := lasts(400*time.Millisecond, 1100*time.Millisecond)
	a := begin(t, setup{name: "bursts of 99 too many, with pauses"})
	p, err := a.knock(visit{from: documentation(1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	heartbeat := appendFrame(nil, finalBit|opText, []byte(`{"type":"heartbeat"}`))
	rounds := 0
	for end := time.Now().Add(lasts(15*time.Second, time.Minute)); time.Now().Before(end) && !p.over(); rounds++ {
		if !p.write(bytes.Repeat(heartbeat, events)) {
			break
		}
		p.awaitEnd(t.Context(), rest)
	}
	p.awaitEnd(t.Context(), time.Second)
	a.wave = fmt.Sprintf("%d bursts", rounds)
	a.holds(read(a.tally, func(t *tally) int64 { return t.closed[4504] }) == 1, "it is not closed with 4504 after %d bursts", rounds)
	a.end()
}
