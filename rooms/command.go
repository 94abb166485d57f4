package rooms

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
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

// forwarded is what is sent to the node that decides for a table: a command; with
// Enter, somebody who wants to join and to see the state; with Wake, nothing but
// that the table is to be looked after.
type forwarded struct {
	Type    string          `json:"type,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	ID      string          `json:"id,omitempty"`
	User    table.User      `json:"user,omitzero"`
	Enter   bool            `json:"enter,omitempty"`
	Stay    bool            `json:"stay,omitempty"` // of Enter: somebody who is in already, and only wants to see the state
	Seen    uint64          `json:"seen,omitempty"` // of Enter: the last step that the sender knows
	Wake    bool            `json:"wake,omitempty"`
	Inspect bool            `json:"inspect,omitempty"` // how the table is

	Injected uint64   `json:"injected,omitempty"` // of Wake: the log of rooms has a command at that sequence
	After    int64    `json:"after,omitempty"`    // the time that the node last told the one that forwards it: see freshFor
	Gone     []string `json:"gone,omitempty"`     // nodes that do not decide, as far as the sender knows
	Insist   bool     `json:"insist,omitempty"`   // decide, whoever's turn it is: the last step is yours
	By       string   `json:"by,omitempty"`       // with Insist: the node that forwards it, if that one takes tables too
}

// repeatable reports whether it may be sent again although nobody knows whether
// it was done.
func (c *forwarded) repeatable() bool { return c.ID != "" || c.Enter || c.Wake || c.Inspect }

// decided is the answer. One with Moved or Expired is not for the sender but for
// the node that has forwarded it: nothing was done.
type decided struct {
	Seq     uint64      `json:"seq,omitempty"`
	Again   bool        `json:"again,omitempty"`
	State   *tableState `json:"state,omitempty"` // of Enter
	Table   *TableInfo  `json:"table,omitempty"` // of Inspect
	Error   *wire.Error `json:"error,omitempty"`
	Moved   *moved      `json:"moved,omitempty"`
	Expired int64       `json:"expired,omitempty"` // it may be old; the time, to be named as After if it is not
}

// moved is that another node decides.
type moved struct {
	To string `json:"to,omitempty"` // "": the next one of the sender's own list
	// Writer is that To has written the last step, before which this node has had
	// to give way. Otherwise this node does not decide for the table at all.
	Writer bool `json:"writer,omitempty"`
	// Alive is that it has done so after it was taken for gone.
	Alive bool `json:"alive,omitempty"`
	// Older is the version of the rules of a node that leaves the table to one with
	// newer ones; 0: it has another reason.
	Older int `json:"older,omitempty"`
}

// tableState is what a user sees of a table after the step Seq, at the time Now in
// ms since 1970.
type tableState struct {
	State json.RawMessage `json:"state"`
	Seq   uint64          `json:"seq"`
	Now   int64           `json:"now"`
}

func (d decided) result() (Decision, error) {
	if d.Error != nil {
		return Decision{d.Seq, d.Again}, d.Error
	}
	return Decision{d.Seq, d.Again}, nil
}

// decideHere gives what was forwarded to the owner on this node; done is called
// once. A node whose turn it is not says whose it is, unless the sender insists.
func (e *Engine) decideHere(room wire.Room, c forwarded, done answerFunc) {
	if !e.IsTable(room) {
		done(decided{Moved: &moved{}})
		return
	}
	if to := e.ownerOf(room, c.Gone); to != e.cfg.Node && to != "" && !c.Insist {
		e.tableStats.Moved.Add(1)
		done(decided{Moved: &moved{To: to}})
		return
	}
	var m ownerMessage
	way := route{c.Gone, c.Insist, c.By}
	switch {
	case c.Inspect:
		m = inspectRequest{way, done}
	case c.Wake:
		m = wakeRequest{injected: c.Injected, route: way, done: done}
	case c.Enter:
		m = enterRequest{user: c.User, stay: c.Stay, seen: c.Seen, route: way, done: done}
	default:
		req := table.Request{
			Command: table.Command{Type: c.Type, Payload: c.Payload, User: c.User}, At: e.tableClock.now().UnixMilli(), Ref: done,
		}
		if c.ID != "" {
			req.Key = table.KeyOf(c.User.From, c.User.UID, c.ID)
		}
		m = decideRequest{req, way}
	}
	switch err := e.owners.Send(string(room), m); err {
	case nil:
	case actor.ErrFull:
		e.tableStats.Busy.Add(1)
		done(decided{Error: errTableBusy})
	default:
		done(decided{Moved: &moved{}}) // this node is stopping
	}
}

var errTableBusy = wire.Errorf(wire.Busy, "the table is busy; try again in a moment")

// ownerOf is the node that decides for a table when those that are gone do not;
// "": nobody is left.
func (e *Engine) ownerOf(room wire.Room, gone []string) string {
	return e.placement.ownerOf(room, gone)
}

// Subjects between nodes about tables: what is forwarded to one, and whether it
// is there.
func tableSubject(node, token string) string { return "roomd.table." + node + "." + token }
func pingSubject(node string) string         { return "roomd.table." + node }

// onForwarded takes what another node has sent here.
func (e *Engine) onForwarded(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	room, err := wire.SpaceRooms.Room(token)
	var c forwarded
	if err == nil {
		err = json.Unmarshal(msg.Data, &c)
	}
	answer := func(d decided) {
		body, err := json.Marshal(d)
		if err == nil {
			err = msg.Respond(body)
		}
		if err != nil && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a decision could not be answered; it is asked for again")
		}
	}
	if err != nil {
		answer(decided{Error: wire.AsError(err)})
		return
	}
	if now := time.Now(); !c.Wake && !c.Enter && now.Sub(time.UnixMilli(c.After)) > freshFor {
		e.tableStats.Expired.Add(1)
		answer(decided{Expired: now.UnixMilli()})
		return
	}
	e.decideHere(room, c, answer)
}

// freshFor is how old a command may be that another node forwards. It may have
// lain in a connection while this process was stopped, and what became of it since
// may be forgotten here: table.Memory is longer than somebody repeats a command by
// a minute. No two clocks are compared for it: a command names the time that this
// node itself has told last, and if that is long ago the node that forwards it is
// asked whether it still wants it.
const freshFor = 30 * time.Second

// onTablePing answers who wants to know whether this node is there, with its time.
func (e *Engine) onTablePing(msg *nats.Msg) {
	if err := msg.Respond(strconv.AppendInt(nil, time.Now().UnixMilli(), 10)); err != nil && !e.closed() {
		e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a node that asks for this one could not be answered")
	}
}
