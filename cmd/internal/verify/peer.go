package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const (
	// inFlight bounds the events of one publisher that have no ack; beyond it
	// the publisher falls behind its rate.
	inFlight = 256
	// again is the wait before an event that was refused is sent again.
	again = 200 * time.Millisecond
)

// peer is one client of a run: it listens, and may publish.
type peer struct {
	// fixed after dial
	v      *verification
	name   string
	urls   []string // its own first
	room   *watchedRoom
	client *client.Client
	joined chan struct{} // closed when it is in the room

	// guarded by room.mu
	epoch     string // "" before joined
	reader    *reader
	connected bool
	met       bool // was connected before
	quiet     quiet
}

func newPeer(v *verification, name string, i int, room *watchedRoom) *peer {
	urls := v.cfg.URL
	first := (i + i/v.cfg.Rooms) % len(urls) // the clients of one room are on different nodes
	return &peer{v: v, name: name, urls: append(append([]string{}, urls[first:]...), urls[:first]...), room: room, joined: make(chan struct{})}
}

// dial returns when the server has let us into the room.
func (p *peer) dial(ctx context.Context) error {
	cfg := client.Config{
		URL: p.urls[0], Others: p.urls[1:], Username: p.name, Room: p.room.name, Outbox: inFlight + 1, Rate: p.v.cfg.ClientRate, Unpaced: p.v.cfg.ClientRate == 0,
		OnEvent: p.onEvent, OnRepeat: p.onLogged, OnStatus: p.onStatus, HandshakeTimeout: p.v.cfg.Timeout, TLS: p.v.cfg.TLS,
	}
	if p.v.cfg.Sign != nil {
		cfg.Token = func(context.Context) (string, error) { return p.v.cfg.Sign(p.name) }
	}
	c, err := client.Dial(ctx, cfg)
	if err != nil {
		return fmt.Errorf("--url %s: %w", strings.Join(p.urls, " --url "), err)
	}
	p.client = c
	late := time.NewTimer(p.v.cfg.Timeout)
	defer late.Stop()
	select {
	case <-p.joined:
		return nil
	case <-late.C:
		return fmt.Errorf("--url %s let nobody into the room %s within --timeout %v", p.urls[0], p.room.name, p.v.cfg.Timeout)
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *peer) onEvent(ev wire.Event) {
	switch {
	case ev.Room != p.room.name:
	case ev.Type == wire.TypeRoomJoined:
		p.onJoined(ev)
	case ev.Seq > 0 && wire.Logged(ev.Type):
		p.onLogged(ev)
	}
}

func (p *peer) onJoined(ev wire.Event) {
	var joined wire.RoomJoined
	if json.Unmarshal(ev.Payload, &joined) != nil {
		return // the client ends itself over it
	}
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	first := p.epoch == ""
	if !first && joined.Recovered && joined.Epoch == p.epoch {
		return
	}
	if !first {
		p.v.refreshes.Add(1)
	}
	if joined.Epoch != p.epoch {
		p.epoch, p.reader = joined.Epoch, newReader()
	}
	p.room.ledger(p.epoch).start(p.reader, joined.Seq)
	if first {
		close(p.joined)
	}
}

// onLogged takes an event of the room's log.
func (p *peer) onLogged(ev wire.Event) {
	var m wire.Message
	e := entry{seq: ev.Seq}
	if json.Unmarshal(ev.Payload, &m) != nil || !parseEvent(m.Message, p.v.name, &e) {
		p.v.foreign.Add(1)
		return
	}
	p.v.delivered.Add(1)
	now := time.Now()
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.room.quiet.heard(now)
	p.quiet.heard(now)
	if p.epoch != "" {
		p.room.ledger(p.epoch).heard(p.reader, e)
	}
}

func (p *peer) onStatus(s client.Status) {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.connected = s.State == client.Connected
	if p.connected && p.met {
		p.v.reconnects.Add(1)
	}
	p.met = p.met || p.connected
}

// complete reports whether we are there and have heard all that is known.
func (p *peer) complete() bool {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	return p.connected && p.epoch == p.room.latest && p.room.ledger(p.epoch).behind(p.reader) == 0
}

// publish sends at a steady rate until sending ends; every event goes on being
// tried until trying ends.
func (p *peer) publish(sending, trying context.Context, sender int, events *sync.WaitGroup) {
	interval := time.Duration(float64(p.v.cfg.Publishers) / p.v.cfg.Rate * float64(time.Second))
	due := time.Now().Add(interval * time.Duration(sender) / time.Duration(p.v.cfg.Publishers)) // spread evenly
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	slots := make(chan struct{}, inFlight)
	for number := uint32(1); ; number++ {
		select {
		case <-timer.C:
		case <-sending.Done():
			return
		}
		select {
		case slots <- struct{}{}:
		case <-sending.Done():
			return
		}
		p.v.sent.Add(1)
		p.v.pending.Add(1)
		events.Go(func() {
			p.store(trying, entry{sender: uint32(sender), number: number})
			p.v.pending.Add(-1)
			<-slots
		})
		// What was held up is not made up for: the rate is steady.
		if due = due.Add(interval); time.Until(due) < -interval {
			due = time.Now()
		}
		timer.Reset(time.Until(due))
	}
}

// store sends one event until it has an ack.
func (p *peer) store(ctx context.Context, e entry) {
	ctx, cancel := context.WithTimeout(ctx, p.v.cfg.GiveUp)
	defer cancel()
	ev := wire.Event{Type: wire.TypeSendMessage, Room: p.room.name, ID: eventText(p.v.name, e),
		Payload: wire.MarshalPayload(map[string]string{"message": eventText(p.v.name, e)})}
	for {
		ack, err := p.client.Send(ctx, ev)
		if err == nil {
			p.onAck(ack, e)
			return
		}
		code, retry := retryable(err)
		if code != "" {
			p.v.answered(code)
		}
		if !retry {
			p.v.gaveUp(err)
			return
		}
		wait := time.NewTimer(again)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			p.v.gaveUp(err)
			return
		}
	}
}

func (p *peer) onAck(ack client.Ack, e entry) {
	p.v.acked.Add(1)
	if ack.Duplicate {
		p.v.duplicates.Add(1)
	}
	e.seq = ack.Seq
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.room.ledger(p.room.latest).acked(e)
}

// eventText is an event's id and its message.
func eventText(run string, e entry) string { return fmt.Sprintf("%s %d %d", run, e.sender, e.number) }

// parseEvent reads what eventText wrote; false for what is none of this run's.
func parseEvent(text, run string, e *entry) bool {
	rest, ok := strings.CutPrefix(text, run+" ")
	if !ok {
		return false
	}
	n, err := fmt.Sscanf(rest, "%d %d", &e.sender, &e.number)
	return n == 2 && err == nil && eventText(run, *e) == text
}
