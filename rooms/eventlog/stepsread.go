package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// A table's steps name the one before them, so a few are read back along that
// chain, one by its sequence each: while there are thousands of tables, that
// costs a tenth of a scan for one of them.

// stepChain is how many steps are read along the chain; what lies before them is
// scanned for.
const stepChain = 256

// ErrStepGap is that a table's log has not all steps behind the one from which it
// was read.
var ErrStepGap = errors.New("the log has not all steps of the table")

// LastStep returns a table's last step, as the stream's leader has it; nil: the
// table has none.
func (l *Log) LastStep(ctx context.Context, room wire.Room) (*follow.Event, error) {
	msg, err := l.leaderGet(ctx, leaderRequest{LastBySub: l.cfg.Space.Capture(room)})
	if err != nil || msg == nil {
		return nil, err
	}
	ev := msg.event()
	return &ev, nil
}

// StepAt returns the message at a sequence if it is one of the table's steps; nil:
// there is none. A replica that lags is not taken at its word.
func (l *Log) StepAt(ctx context.Context, room wire.Room, seq uint64) (*follow.Event, error) {
	if seq == 0 {
		return nil, nil
	}
	answer, err := l.directGet(ctx, directRequest{Seq: seq, Batch: 1})
	if err != nil {
		return nil, err
	}
	if len(answer.list) == 1 && answer.list[0].Seq == seq {
		if answer.list[0].token != wire.RoomToken(room) {
			return nil, nil
		}
		return &answer.list[0].Event, nil
	}
	msg, err := l.leaderGet(ctx, leaderRequest{Seq: seq})
	if err != nil || msg == nil || msg.Subject != l.cfg.Space.Capture(room) {
		return nil, err
	}
	ev := msg.event()
	return &ev, nil
}

// Steps calls fn for each message of a table's log after `after` up to its last
// one, in order. prev says which one a step follows; ok is false for what is no
// step. ErrStepGap is that one is gone that another follows.
func (l *Log) Steps(ctx context.Context, room wire.Room, after uint64, last follow.Event, prev func(follow.Event) (seq uint64, ok bool), fn func(follow.Event) error) error {
	chain := []follow.Event{} // newest first
	scanTo := uint64(0)
	for ev := &last; ev.Seq > after; {
		before, ok := prev(*ev)
		if !ok || len(chain) == stepChain {
			scanTo = ev.Seq
			break
		}
		chain = append(chain, *ev)
		if before <= after {
			break
		}
		var err error
		if ev, err = l.StepAt(ctx, room, before); err != nil {
			return err
		}
		if ev == nil {
			return fmt.Errorf("step %d of %q, which step %d follows: %w", before, room, chain[len(chain)-1].Seq, ErrStepGap)
		}
	}
	if err := l.scanSteps(ctx, room, after, scanTo, fn); err != nil {
		return err
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if err := fn(chain[i]); err != nil {
			return err
		}
	}
	return nil
}

// scanSteps is Steps up to a sequence at which there is one, in pages.
func (l *Log) scanSteps(ctx context.Context, room wire.Room, after, upto uint64, fn func(follow.Event) error) error {
	for at := after; at < upto; {
		page, err := l.Read(ctx, room, follow.Range{After: at, Upto: upto})
		if err != nil {
			return err
		}
		for _, ev := range page.Events {
			if err := fn(ev); err != nil {
				return err
			}
			at = ev.Seq
		}
		if len(page.Events) == 0 {
			return fmt.Errorf("the steps of %q from %d to %d: %w", room, at, upto, errBehind)
		}
	}
	return nil
}

// DropSteps drops a table's steps before a sequence. It must be that of a step
// that a snapshot holds.
func (l *Log) DropSteps(ctx context.Context, room wire.Room, before uint64) error {
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSubject(l.cfg.Space.Capture(room)), jetstream.WithPurgeSequence(before)); err != nil {
		return fmt.Errorf("eventlog: drop the steps of %q before %d: %w", room, before, err)
	}
	return nil
}
