//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// flood is guests who send as much as they can, and come back when they are
// closed.
type flood struct {
	guests int
	rooms  func(guest int) []string // that a guest speaks in, by turns; the first is the one it connects to
	rate   float64                  // events per second of each
	event  func(room string, n int) string
	from   func(guest int) string // its address
	deaf   bool                   // they never read
	back   time.Duration          // between a close and the next connect
	query  string                 // more of it: &name=value
	tokens []string               // they are no guests, but these users
}

// documentation is an address from a range that nobody has: RFC 5737.
func documentation(n int) string { return fmt.Sprintf("192.0.2.%d", 1+n%254) }

// oneAddress is where all come from.
func oneAddress(int) string { return documentation(0) }

// message is a send_message whose frame has size bytes.
func message(room string, n, size int) string {
	text := fmt.Sprintf(`{"type":"send_message","id":"%d","room":%q,"payload":{"message":""}}`, n, room)
	return strings.Replace(text, `"message":""`, `"message":"`+strings.Repeat("x", max(0, size-len(text)))+`"`, 1)
}

// large is as much as --max-message allows.
const large = 16<<10 - 1

func largeMessage(room string, n int) string { return message(room, n, large) }

// flood lets the guests go on for d, and returns when they have gone.
func (a *attack) flood(f flood, d time.Duration) {
	ctx, cancel := context.WithTimeout(a.t.Context(), d)
	defer cancel()
	var guests sync.WaitGroup
	for n := range f.guests {
		guests.Go(func() {
			for ctx.Err() == nil {
				if !a.floodOnce(ctx, f, n) {
					pause(ctx, f.back)
				}
			}
		})
	}
	guests.Wait()
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// floodOnce is one connection of a guest; it returns when that has ended.
func (a *attack) floodOnce(ctx context.Context, f flood, guest int) (whole bool) {
	names := f.rooms(guest)
	v := visit{from: f.from(guest), query: fmt.Sprintf("username=g%d&room=%s%s", guest, names[0], f.query), deaf: f.deaf}
	if f.tokens != nil {
		v.header = bearer(f.tokens[guest])
	}
	p, err := a.knock(v, nil)
	if err != nil {
		return false
	}
	defer func() {
		p.leave()
		a.peers.remove(p)
	}()
	for _, name := range names[1:] {
		if !p.say(fmt.Sprintf(`{"type":"join_room","payload":{"name":%q}}`, name)) {
			return false
		}
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / f.rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return true
		case <-p.done:
			return false
		case <-tick.C:
		}
		if !p.say(f.event(names[n%len(names)], n)) {
			return false
		}
	}
}

// numbered are rooms of a guest's own.
func numbered(prefix string, each int) func(int) []string {
	return func(guest int) (names []string) {
		for n := range each {
			names = append(names, fmt.Sprintf("%s-%d-%d", prefix, guest, n))
		}
		return names
	}
}
