//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// A phone in a tunnel: it comes back again and again, and sends what was not
// answered once more.
func TestABadNetwork(t *testing.T) {
	const room = "tunnel"
	a := begin(t, setup{name: "honest: a client on a bad network"})
	line := roughNetwork(t, a.server.addr, documentation(77))
	phone := a.join(line.url(), room, nil)
	steady := a.join("ws://"+a.server.addr+"/ws", room, nil)
	sent := 0
	tick := time.NewTicker(70 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(lasts(4*time.Second, 40*time.Second)); time.Now().Before(end); <-tick.C {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		ack, err := phone.Publish(ctx, room, wire.TypeSendMessage, map[string]string{"message": strings.Repeat("hello ", 100)})
		cancel()
		a.holds(err == nil, "a message of the phone: %+v, %v", ack, err)
		sent++
	}
	a.hears("who is on a good line", steady, room, sent)
	a.hears("the phone", phone, room, sent)
	a.feltNothing("the phone", phone)
	a.feltNothing("who is on a good line", steady)
	a.wave = fmt.Sprintf("the line broke %d times; %d messages, all stored once", line.broken(), sent)
	a.holds(line.broken() > 0, "the line broke %d times", line.broken())
	events, _ := a.kept(room)
	a.holds(events == sent, "the room keeps %d messages of %d", events, sent)
	a.end()
}

// A tab that slept: the room went on without it, and then it comes back with
// all that it wanted to say.
func TestATabThatSlept(t *testing.T) {
	a := begin(t, setup{name: "honest: a tab that slept"})
	nc := a.server.connect()
	for _, tt := range []struct {
		room   string
		missed int
		size   int
	}{{"nap", 400, 300}, {"night", 900, 300}} {
		tab := a.join("ws://"+a.server.addr+"/ws", tt.room, nil)
		wake := make(chan struct{})
		tab.mu.Lock()
		tab.asleep = wake
		tab.mu.Unlock()
		a.fill(nc, []string{tt.room}, tt.missed, tt.size)
		close(wake)
		var saying sync.WaitGroup
		for n := range 60 {
			saying.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				_, err := tab.Publish(ctx, wire.Room(tt.room), wire.TypeSendMessage, map[string]string{"message": fmt.Sprint("at last ", n)})
				a.holds(err == nil, "what the tab wanted to say: %v", err)
			})
		}
		saying.Wait()
		all := tt.missed + 60
		events, _ := a.kept(tt.room)
		a.holds(events == all, "the room keeps %d messages of %d", events, all)
		tab.mu.Lock()
		gaps := len(tab.gaps)
		tab.mu.Unlock()
		if gaps == 0 {
			a.hears("the tab", tab, tt.room, all)
		} else { // it was told to refresh, and does
			shown := a.pages(tab, tt.room)
			a.holds(shown == all, "the tab's pages of history show %d of %d messages", shown, all)
		}
		a.holds(len(tab.refused) == 0, "the tab was refused: %q", tab.refused)
		a.holds(len(tab.errors) == 0, "the tab was told %.300q", tab.errors)
		tab.Close()
	}
	a.end()
}

// A dealer's service: 1,000 events per second.
func TestAServiceThatInjects(t *testing.T) {
	const perSecond, tables = 1000, 10
	a := begin(t, setup{name: "honest: a service that injects 1,000 events/s"})
	var watchers []*honest
	for n := range tables {
		watchers = append(watchers, a.join("ws://"+a.server.addr+"/ws", fmt.Sprint("table-", n), nil))
	}
	js, err := jetstream.New(a.server.connect())
	if err != nil {
		t.Fatal(err)
	}
	each := int(lasts(3*time.Second, 60*time.Second).Seconds()) * perSecond / tables
	var acks []jetstream.PubAckFuture
	start := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := range each {
		for int(time.Since(start).Seconds()*perSecond) < n*tables {
			<-tick.C
		}
		for table := range tables {
			ack, err := js.PublishAsync(wire.EventSubject(wire.Room(fmt.Sprint("table-", table))), fmt.Appendf(nil, `{"type":"card_dealt","payload":{"n":%d,"card":"TD"}}`, n))
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack)
		}
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			a.wrong("an event was not stored: %v", err)
		case <-time.After(patience):
			t.Fatal("an event has no ack")
		}
	}
	took := time.Since(start)
	for n, w := range watchers {
		a.hears("who watches", w, fmt.Sprint("table-", n), each)
		a.feltNothing("who watches", w)
	}
	a.wave = fmt.Sprintf("%d events, %.0f/s, all stored and heard", each*tables, float64(each*tables)/took.Seconds())
	a.end()
}
