//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Eight guests fill 56 rooms: each room remembers what was said in it.
func TestEightGuestsIn56Rooms(t *testing.T) {
	a := begin(t, setup{name: "8 guests fill 56 rooms with 16 KiB messages"})
	a.flood(flood{guests: 8, rooms: numbered("fill", 7), rate: 20, event: largeMessage, from: documentation, back: 200 * time.Millisecond},
		lasts(4*time.Second, 3*time.Minute))
	a.end()
}

// Twenty guests in three waves, each in rooms that are new.
func TestTwentyGuestsInThreeWaves(t *testing.T) {
	a := begin(t, setup{name: "20 guests in three waves, 32 rooms each"})
	a.waves(3, lasts(1500*time.Millisecond, time.Minute))
	a.end()
}

func (a *attack) waves(n int, each time.Duration) {
	for wave := range n {
		a.flood(flood{guests: 20, rooms: numbered(fmt.Sprint("wave", wave), 32), rate: 20, event: largeMessage, from: documentation, back: 200 * time.Millisecond}, each)
	}
}

// The same with what roomd makes of the limit of a small container: nine tenths
// of it are Go's, and what is not Go's is the program itself.
func TestWavesBelowAMemoryLimit(t *testing.T) {
	const limit = 256 << 20
	a := begin(t, setup{name: "the waves, in a container of 256 MiB", env: []string{fmt.Sprint("GOMEMLIMIT=", limit/10*9)}})
	a.limit = limit
	a.waves(3, lasts(time.Second, 30*time.Second))
	a.end()
}

// One short handshake asks for all that rooms keep; ten come at once, and
// again when they are through.
func TestResumesOfFullRooms(t *testing.T) {
	for _, reads := range []bool{true, false} {
		name := "never read"
		if reads {
			name = "read"
		}
		t.Run(name, func(t *testing.T) {
			a := prepare(t, setup{name: "10 handshakes with resume of full rooms, " + name})
			rooms := numbered("full", int(lasts(6, 16)))(0)
			const each, bytes = 480, 16000
			a.fill(a.server.connect(), rooms, each, bytes)
			epoch := a.epoch(rooms[0])
			a.watch(nil)
			var from []string
			for _, room := range rooms {
				from = append(from, room+":"+epoch+":1") // the first of all is not missed
			}
			a.comeBack("resume="+strings.Join(from, ","), 10, !reads, lasts(3*time.Second, 20*time.Second))
			a.wave = fmt.Sprintf("each asks for %s of %d rooms", size(int64(len(rooms)*each*bytes)), len(rooms))
			a.end()
		})
	}
}

// comeBack lets n guests connect with the query, each again when a second has
// passed, for as long as d.
func (a *attack) comeBack(query string, n int, deaf bool, d time.Duration) {
	ctx, cancel := context.WithTimeout(a.t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for guest := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				p, err := a.knock(visit{from: documentation(guest), query: query, deaf: deaf}, nil)
				pause(ctx, time.Second)
				if err == nil {
					p.leave()
					a.peers.remove(p)
				}
			}
		})
	}
	all.Wait()
}

// Clients that never read stand in the rooms that others fill.
func TestClientsThatNeverRead(t *testing.T) {
	a := begin(t, setup{name: "clients that never read, in rooms that 8 guests fill"})
	rooms := numbered("deaf", 7)
	var all sync.WaitGroup
	for n := range int(lasts(100, 1000)) {
		all.Go(func() {
			if _, err := a.knock(visit{from: documentation(n), query: "room=" + rooms(n % 8)[0], deaf: true}, nil); err != nil {
				t.Logf("a client that never reads: %v", err)
			}
		})
	}
	all.Wait()
	a.flood(flood{guests: 8, rooms: rooms, rate: 20, event: largeMessage, from: documentation, back: 200 * time.Millisecond},
		lasts(3*time.Second, time.Minute))
	a.end()
}
