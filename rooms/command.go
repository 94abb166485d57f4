package rooms

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// CommandOptions says who sends a command to a table.
type CommandOptions struct {
	// ID is the sender's; sent again under it within two minutes, a command gets
	// its first answer, from any node. "": the command is decided once at most,
	// and answered unavailable when it is not known whether it was.
	ID   string
	User table.User // who sends it
}

// Decision is what became of a command.
type Decision struct {
	Seq   uint64 // of the step that holds it
	Again bool   // the command came before: this is the first answer
}

// Command has a table decide, on whichever node that is, and calls done once: with
// the step that holds the decision, or with the reason why there is none, a
// *wire.Error. Refused is the rules' own, and the Decision says where it is
// stored; after Unavailable and Busy the same may be sent again under its ID.
// Commands of one caller to one table are decided in the order of the calls,
// unless the node that decides is lost meanwhile. done must not block, is called
// within 2 * table.MaxWait, and runs on any goroutine.
func (e *Engine) Command(room wire.Room, ev wire.Event, opts CommandOptions, done func(Decision, error)) {
	if wire.Reserved(ev.Type) {
		done(Decision{}, wire.Errorf(wire.BadType, "type %q is made by the server only; send another", ev.Type))
		return
	}
	c := forwarded{Type: ev.Type, Payload: ev.Payload, ID: opts.ID, User: opts.User}
	e.forward.send(room, c, func(d decided) {
		if h := e.handleOf(room); h != nil && d.Seq > 0 {
			h.ack(d.Seq) // whoever has the answer finds the step in history
		}
		done(d.result())
	})
}

// askTable waits for the answer of the node that decides.
func (e *Engine) askTable(ctx context.Context, room wire.Room, c forwarded) decided {
	answer := make(chan decided, 1)
	e.forward.send(room, c, func(d decided) { answer <- d })
	select {
	case d := <-answer:
		return d
	case <-ctx.Done():
		return decided{Error: wire.Errorf(wire.Unavailable, "the table did not answer in time; try again")}
	}
}

func (d decided) result() (Decision, error) {
	if d.Error != nil {
		return Decision{d.Seq, d.Again}, d.Error
	}
	return Decision{d.Seq, d.Again}, nil
}
