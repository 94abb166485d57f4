package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const (
	// botInFlight bounds the commands of one bot that have no answer.
	botInFlight = 4
	// dropsEvery is how often, about, a bot loses its connection.
	dropsEvery = 20 * time.Second
	// againOf: one of so many commands is sent again when it has its answer.
	againOf = 8
)

// play sends commands at a steady rate until sending ends, and returns when all
// have an answer or trying has ended.
func (b *bot) play(sending, trying context.Context, i int) {
	interval := b.run.cfg.interval()
	timer := time.NewTimer(interval * time.Duration(i) / time.Duration(b.run.cfg.Publishers)) // spread evenly
	defer timer.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, botInFlight)
	for number := 1; ; number++ {
		select {
		case <-timer.C:
		case <-sending.Done():
			return
		}
		timer.Reset(interval)
		if rand.Float64() < float64(interval)/float64(dropsEvery) {
			b.drop()
		}
		select {
		case slots <- struct{}{}:
		default:
			continue // too many have no answer
		}
		b.run.sent.Add(1)
		all.Go(func() {
			b.command(trying, number)
			<-slots
		})
	}
}

// drop loses the bot's connection.
func (b *bot) drop() {
	b.table.mu.Lock()
	b.left = b.links
	b.table.mu.Unlock()
	b.client.Reconnect()
}

// command sends one command until it has an answer.
func (b *bot) command(ctx context.Context, number int) {
	ctx, cancel := context.WithTimeout(ctx, b.run.cfg.GiveUp)
	defer cancel()
	b.table.mu.Lock()
	o := b.purse.next(b.uid, b.text(number))
	asked := waiting{bot: b, node: b.node, link: b.links, what: o.typ, from: time.Now()}
	b.table.mu.Unlock()
	ev := wire.Event{Type: o.typ, Room: b.table.name, ID: b.text(number), Payload: wire.MarshalPayload(o.payload)}
	ack, err := b.untilAnswered(ctx, ev)
	asked.over(time.Now())
	b.note(o, ack, err)
	if (err == nil || refusedBy(err)) && rand.IntN(againOf) == 0 {
		b.sendAgain(ctx, ev, ack, err)
	}
}

func (b *bot) untilAnswered(ctx context.Context, ev wire.Event) (client.Ack, error) {
	for {
		ack, err := b.client.Send(ctx, ev)
		if err == nil || refusedBy(err) {
			return ack, err
		}
		code, retry := retryable(err)
		if code != "" {
			b.run.answered(code)
		}
		if !retry {
			return ack, err
		}
		if wait(ctx, again) != nil {
			return ack, err
		}
	}
}

// refusedBy reports whether the rules have refused.
func refusedBy(err error) bool {
	var said *wire.Error
	return errors.As(err, &said) && said.Code == wire.Refused
}

// note counts what a command was answered.
func (b *bot) note(o order, ack client.Ack, err error) {
	switch {
	case refusedBy(err):
		b.run.refused.Add(1)
	case err != nil:
		b.run.unknown.Add(1)
		b.run.gaveUp(err)
		if o.fact != "" {
			b.table.noted(result{fact: o.fact}, 0)
		}
	case o.fact == "":
		b.table.fault(book.Money, "%s: a bet that no table takes was acknowledged with %d", b.name, ack.Seq)
	default:
		b.run.acked.Add(1)
		if o.bet > 0 {
			b.run.bets.Add(1)
		}
		b.table.noted(result{o.fact, ack.Seq}, o.bet)
	}
}

// sendAgain sends a command that has its answer once more, under its id: it must
// get the same.
func (b *bot) sendAgain(ctx context.Context, ev wire.Event, first client.Ack, refused error) {
	ack, err := b.client.Send(ctx, ev)
	switch {
	case err != nil && !refusedBy(err):
		return // no answer says nothing
	case refused == nil && err == nil && ack.Seq == first.Seq, refused != nil && refusedBy(err) && wire.AsError(err).Message == wire.AsError(refused).Message:
		b.run.again.Add(1)
	default:
		b.table.fault(book.Doubled, "%s: %s of id %q was answered %d, %v, and sent again %d, %v", b.name, ev.Type, ev.ID, first.Seq, refused, ack.Seq, err)
	}
}
