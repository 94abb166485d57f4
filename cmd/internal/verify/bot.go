package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// botBackoff is the longest that a bot waits before it comes back: it loses its
// connection more often than people do.
const botBackoff = 2 * time.Second

// bot is one player of a run, or one who only watches.
type bot struct {
	// fixed after dial
	run    *betting
	name   string
	urls   []string // its own first
	table  *betTable
	client *client.Client
	joined chan struct{} // closed when it is at the table

	// guarded by table.mu
	uid, node string
	connected bool
	links     int // connections so far
	left      int // the last one that the bot has given up itself
	epoch     string
	from      uint64 // what comes after it is seen
	last      uint64 // seen
	seen      []mark
	skips     []span // need not be seen
	repeats   int
	shown     []shown
	looking   bool // for the last time: what is seen from now on is not compared
	purse     purse
}

// mark is a step that a bot has seen.
type mark struct{ seq, hash uint64 }

// shown is what a bot was shown of the table's state.
type shown struct {
	seq  uint64
	uid  string
	view book.View
}

func newBot(r *betting, name string, i int, table *betTable) *bot {
	urls := r.cfg.URL
	first := (i + i/r.cfg.Rooms) % len(urls) // the bots of one table are on different nodes
	return &bot{run: r, name: name, urls: append(append([]string{}, urls[first:]...), urls[:first]...), table: table, joined: make(chan struct{})}
}

// dial returns when the bot is at its table and has seen its state.
func (b *bot) dial(ctx context.Context) error {
	c := b.run.cfg
	cfg := client.Config{
		URL: b.urls[0], Others: b.urls[1:], Username: b.name, Room: b.table.name, Rate: c.ClientRate, Unpaced: c.ClientRate == 0,
		OnEvent: b.onEvent, OnRepeat: b.onRepeat, OnStatus: b.onStatus, HandshakeTimeout: c.Timeout, MaxBackoff: botBackoff, TLS: c.TLS,
	}
	if c.Sign != nil {
		cfg.Token = func(context.Context) (string, error) { return c.Sign(b.name) }
	}
	dialed, err := client.Dial(ctx, cfg)
	if err != nil {
		return fmt.Errorf("--url %s: %w", b.urls[0], err)
	}
	b.client = dialed
	late := time.NewTimer(c.Timeout)
	defer late.Stop()
	select {
	case <-b.joined:
		return nil
	case <-late.C:
		return fmt.Errorf("--url %s let nobody see the table %s within --timeout %v; is baccarat played there (--tables of roomd)? --table-prefix names such rooms", b.urls[0], b.table.name, c.Timeout)
	case <-dialed.Done():
		return dialed.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *bot) onStatus(s client.Status) {
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	b.connected = s.State == client.Connected
	if !b.connected {
		return
	}
	if b.links++; b.links > 1 {
		b.run.reconnects.Add(1)
	}
}

func (b *bot) onEvent(ev wire.Event) {
	switch {
	case ev.Type == wire.TypeWelcome:
		var w wire.Welcome
		if json.Unmarshal(ev.Payload, &w) == nil { // the client has read it as well
			b.table.mu.Lock()
			b.uid, b.node = w.UID, w.Node
			b.table.mu.Unlock()
		}
	case ev.Room != b.table.name:
	case ev.Type == wire.TypeRoomJoined:
		b.onJoined(ev)
	case ev.Seq > 0 && wire.Logged(ev.Type):
		b.onStep(ev)
	}
}

func (b *bot) onRepeat(ev wire.Event) {
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	if ev.Room == b.table.name && !b.looking {
		b.repeats++
	}
}

func (b *bot) onJoined(ev wire.Event) {
	var joined wire.RoomJoined
	if json.Unmarshal(ev.Payload, &joined) != nil {
		return // the client ends itself over it
	}
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	first := b.epoch == ""
	switch {
	case first:
		b.from, b.last = joined.Seq, joined.Seq
	case !joined.Recovered && !b.looking:
		b.run.refreshes.Add(1)
		b.skips = append(b.skips, span{b.last, joined.Seq})
		b.last = joined.Seq
	}
	b.epoch = joined.Epoch
	if joined.State == nil {
		if !first {
			b.table.faults = append(b.table.faults, book.Fault{Kind: book.Malformed, Text: b.name + " has joined the table and was shown no state"})
		}
		return // dial says that it is no table
	}
	x := shown{seq: joined.StateSeq, uid: b.uid}
	if err := json.Unmarshal(joined.State, &x.view); err != nil {
		b.table.faults = append(b.table.faults, book.Fault{Kind: book.Malformed, Text: fmt.Sprintf("%s was shown a state that cannot be read: %v", b.name, err)})
		return
	}
	b.shown = append(b.shown, x)
	b.purse.show(x)
	select {
	case <-b.joined:
	default:
		close(b.joined)
	}
}

// onStep takes an event of the table's log.
func (b *bot) onStep(ev wire.Event) {
	events := eventsOf(ev)
	b.run.delivered.Add(1)
	t := b.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.looking {
		return
	}
	b.seen = append(b.seen, markOf(b.run.seed, ev))
	b.last = max(b.last, ev.Seq)
	if ev.Seq > t.newest {
		t.newest, t.moved = ev.Seq, time.Now()
	}
	b.purse.see(b.uid, ev.Seq, events)
	for _, one := range events {
		var p struct{ Round int }
		switch one.Type {
		case "round_opened", "round_settled", "round_voided":
			if json.Unmarshal(one.Payload, &p) != nil {
				continue // the book finds it
			}
		}
		switch one.Type {
		case "round_opened":
			t.round = max(t.round, p.Round)
		case "round_settled", "round_voided":
			t.ended[p.Round] = true
		}
	}
}

// eventsOf are the events of a step.
func eventsOf(ev wire.Event) []book.Event {
	var batch struct{ Events []book.Event }
	if ev.Type == wire.TypeBatch && json.Unmarshal(ev.Payload, &batch) == nil {
		return batch.Events
	}
	return []book.Event{{Type: ev.Type, Payload: ev.Payload}}
}

func markOf(seed maphash.Seed, ev wire.Event) mark {
	return mark{ev.Seq, maphash.String(seed, ev.Type+"\x00"+strconv.FormatInt(ev.At, 10)+"\x00"+string(ev.Payload))}
}

// lookAgain joins once more, to be shown the state.
func (b *bot) lookAgain(ctx context.Context) error {
	b.table.mu.Lock()
	b.looking = true
	there, before := b.connected, len(b.shown)
	b.table.mu.Unlock()
	if !there {
		return nil // the verdict says so
	}
	for {
		_, err := b.client.Join(ctx, b.table.name, client.JoinOptions{})
		if err == nil {
			break
		}
		if _, retry := retryable(err); !retry {
			return fmt.Errorf("%s could not look at %s for the last time: %w", b.name, b.table.name, err)
		}
		if err := wait(ctx, again); err != nil {
			return fmt.Errorf("%s could not look at %s for the last time: %w", b.name, b.table.name, err)
		}
	}
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	if len(b.shown) == before {
		b.table.faults = append(b.table.faults, book.Fault{Kind: book.Malformed, Text: b.name + " was shown no state at the end"})
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
