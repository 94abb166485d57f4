// Follow prints who is in a room whenever that changes, from the feed of nodes
// that were started with --feed: copy it, and replace what show does.
//
//	go run ./testdata/examples/follow -room general
//	["alice","bob"]
//
// It is right again after events were lost, a node was killed, or NATS was
// away: by a gap in the events' numbers it sees that it missed some, and asks.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	again  = time.Second      // between two questions, while a node does not answer
	silent = 15 * time.Second // after which a node is gone: each says every 5 s that it is there
)

func main() {
	url := flag.String("nats", nats.DefaultURL, "NATS of the rooms")
	room := flag.String("room", "general", "to follow")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := follow(ctx, *url, *room); err != nil {
		log.Fatal(err)
	}
}

func follow(ctx context.Context, url, room string) error {
	nc, err := nats.Connect(url, nats.Name("follow "+room), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connect to NATS as -nats says: %w", err)
	}
	defer nc.Close()
	heard := make(chan *nats.Msg, 1<<16) // what does not fit is lost, and noticed as a gap
	if _, err := nc.ChanSubscribe(wire.FeedSubject+"*", heard); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	f := &follower{room: room, nodes: make(map[string]*node), in: make(map[string]wire.Connection), ask: true}
	answers := make(chan answer, 1)
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		if f.ask && !f.asking && !f.failed {
			f.ask, f.asking = false, true
			go func() { answers <- members(ctx, nc, room) }()
		}
		select {
		case msg := <-heard:
			f.hear(strings.TrimPrefix(msg.Subject, wire.FeedSubject), msg.Data)
		case a := <-answers:
			f.answered(a)
		case now := <-tick.C:
			f.look(now)
		case <-ctx.Done():
			return nil
		}
		f.show()
	}
}

// follower knows the connections in a room.
type follower struct {
	room  string
	nodes map[string]*node
	in    map[string]wire.Connection // by their ids

	ask    bool   // the list may be wrong
	asking bool   // a question is under way
	failed bool   // the last one was not answered: the next waits for a tick
	kept   []told // events received meanwhile

	shown string
}

// node is how far a node's feed was received.
type node struct {
	boot string
	n    uint64
	at   time.Time
}

type told struct {
	kind wire.FeedKind
	ev   wire.FeedEvent
}

func (f *follower) hear(kind string, data []byte) {
	t := told{kind: wire.FeedKind(kind)}
	if err := json.Unmarshal(data, &t.ev); err != nil {
		log.Printf("%s was passed over: %v", data, err)
		return
	}
	if f.asking {
		f.kept = append(f.kept, t)
		return
	}
	f.apply(t)
}

func (f *follower) apply(t told) {
	known := f.nodes[t.ev.Node]
	if t.kind == wire.FeedLost {
		if known != nil && known.boot == t.ev.Boot {
			f.forget(t.ev.Node)
		}
		return
	}
	if known == nil || known.boot != t.ev.Boot {
		f.forget(t.ev.Node)
		f.ask = true // and the answer says how far the node is
		return
	}
	known.at = time.Now()
	switch {
	case t.ev.N <= known.n:
		return // is in the list
	case t.ev.N > known.n+1:
		f.ask = true
	}
	known.n = t.ev.N
	switch {
	case t.ev.Room != f.room:
	case t.kind == wire.FeedJoined:
		f.in[t.ev.Connection] = wire.Connection{Connection: t.ev.Connection, UID: t.ev.UID, Guest: t.ev.Guest, Node: t.ev.Node}
	case t.kind == wire.FeedLeft:
		delete(f.in, t.ev.Connection)
	}
}

// forget drops a node, and who is there through it.
func (f *follower) forget(name string) {
	delete(f.nodes, name)
	for id, c := range f.in {
		if c.Node == name {
			delete(f.in, id)
		}
	}
}

// look drops the nodes whose feeds have gone silent.
func (f *follower) look(now time.Time) {
	f.failed = false
	for name, n := range f.nodes {
		if now.Sub(n.at) > silent {
			f.forget(name)
			f.ask = true
		}
	}
}

// answer is what rooms.members says.
type answer struct {
	nodes []wire.FeedNode // of the first page
	list  []wire.Connection
	err   error
}

// members asks for all pages.
func members(ctx context.Context, nc *nats.Conn, room string) (a answer) {
	for after := ""; ; {
		body, err := json.Marshal(map[string]any{"room": room, "connections": true, "after": after})
		if err != nil {
			return answer{err: err}
		}
		asked, cancel := context.WithTimeout(ctx, 10*time.Second)
		msg, err := nc.RequestWithContext(asked, "rooms.members", body)
		cancel()
		if err != nil {
			return answer{err: err}
		}
		if text := msg.Header.Get("Nats-Service-Error"); text != "" {
			return answer{err: errors.New(text)}
		}
		var page wire.Connections
		if err := json.Unmarshal(msg.Data, &page); err != nil {
			return answer{err: err}
		}
		if after == "" {
			a.nodes = page.Nodes
		}
		a.list = append(a.list, page.List...)
		if after = page.Next; after == "" {
			return a
		}
	}
}

// answered takes the list, and what was told since.
func (f *follower) answered(a answer) {
	kept := f.kept
	f.kept, f.asking = nil, false
	if a.err != nil {
		log.Printf("asking again: %v", a.err)
		f.ask, f.failed = true, true
	} else {
		clear(f.nodes)
		clear(f.in)
		for _, n := range a.nodes {
			f.nodes[n.Node] = &node{n.Boot, n.N, time.Now()}
		}
		for _, c := range a.list {
			f.in[c.Connection] = c
		}
	}
	for _, t := range kept {
		f.apply(t)
	}
}

// show prints the users when they have changed, if the list is right.
func (f *follower) show() {
	if f.ask || f.asking {
		return
	}
	uids := []string{}
	for _, c := range f.in {
		uids = append(uids, c.UID)
	}
	slices.Sort(uids)
	line, err := json.Marshal(slices.Compact(uids))
	if err != nil || string(line) == f.shown {
		return
	}
	f.shown = string(line)
	fmt.Println(f.shown)
}
