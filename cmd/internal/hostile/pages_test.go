//go:build linux

package hostile

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// As many guests as come in a few seconds ask who is in a room, again and again.
func TestListsOfPeople(t *testing.T) {
	n := int(lasts(500, 8000))
	a := begin(t, setup{name: "guests of a full room ask who is there"})
	peers := a.guests(n, 250, "room=crowd&username="+strings.Repeat("x", 40))
	a.takeAll(peers)
	for round, end := 0, time.Now().Add(lasts(3*time.Second, 30*time.Second)); time.Now().Before(end); round++ {
		a.each(len(peers), func(n int) {
			peers[n].say(fmt.Sprintf(`{"type":"get_online_users","id":"o%d","payload":{"limit":100}}`, round))
		})
	}
	a.end()
}

// Guests of many addresses read what the rooms do not remember any more, as
// often as they may. Who seldom wants such a page gets it before most of theirs.
func TestColdPagesOfManyAddresses(t *testing.T) {
	guests, addresses := int(lasts(400, 1500)), int(lasts(50, 188))
	a := prepare(t, setup{name: "guests of many addresses read what is not in memory any more"})
	a.fill(a.server.connect(), []string{"deep", "archive"}, 1000, 2000)
	a.watch(nil)
	quiet := a.listenTo(visit{query: "room=archive", from: documentation(1)})
	crowd := a.guests(guests, addresses, "room=deep")
	a.takeAll(crowd)
	ctx, cancel := context.WithTimeout(t.Context(), lasts(4*time.Second, 30*time.Second))
	defer cancel()
	var all sync.WaitGroup
	for n, p := range crowd {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p.say(fmt.Sprintf(`{"type":"get_history","id":"h%d","payload":{"name":"deep","limit":100,"before":%d}}`, i, 200+(n+i)%100))
				pause(ctx, time.Second)
			}
		})
	}
	var pages []time.Duration
	busy := 0
	for n := 0; ctx.Err() == nil; n++ {
		pause(ctx, 300*time.Millisecond)
		id, from := fmt.Sprint("q", n), time.Now()
		quiet.say(fmt.Sprintf(`{"type":"get_history","id":%q,"payload":{"limit":10,"before":%d}}`, id, 200+n%100))
		if answer := a.answerTo(quiet, id); codeOf(answer) != "" {
			busy++
		}
		pages = append(pages, time.Since(from))
	}
	all.Wait()
	a.wave = fmt.Sprintf("%d guests of %d addresses; another's pages: %d, p50 %s, longest %s, %d refused", len(crowd), addresses, len(pages),
		ms(quantile(pages, 0.5)), ms(quantile(pages, 1)), busy)
	a.holds(2*busy < len(pages), "%d of the other's %d pages were refused", busy, len(pages))
	a.end()
}

// takeAll has peers who were deaf read what comes, without a look at it.
func (a *attack) takeAll(peers []*peer) {
	for _, p := range peers {
		a.readers.Go(func() {
			n, err := io.Copy(io.Discard, p.conn)
			_ = err // who is closed is counted there
			p.tally.add(func(t *tally) { t.gotBytes += n })
		})
	}
}
