package rooms

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

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

// onForwarded takes what another node has sent here. It runs on its subscription's
// goroutine.
func (e *Engine) onForwarded(msg *nats.Msg) {
	secret, now := e.secret.Load(), time.Now()
	body, err := secret.signedBody(msg.Data, forRequest, msg.Subject, msg.Reply)
	if err == nil && !e.replays.isNew(msg.Reply, now) {
		err = errReplayed
	}
	if err != nil {
		e.onForged(msg, err, "a request for a table was not signed by a node for this one, and is ignored; who publishes there?")
		return
	}
	answer := func(d decided) {
		body, err := d.encode(secret, msg.Reply)
		if err == nil {
			err = msg.Respond(body)
		}
		if err != nil && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a decision could not be answered; it is asked for again")
		}
	}
	c, err := decodeForwarded(body)
	var room wire.Room
	if err == nil {
		room, err = wire.SpaceRooms.Room(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:])
	}
	if err != nil {
		answer(decided{Error: wire.AsError(err)})
		return
	}
	if clock := e.tells(now); clock-c.After > uint64(freshFor.Milliseconds()) {
		e.tableStats.Expired.Add(1)
		answer(decided{Expired: clock})
		return
	}
	e.decideHere(room, c, answer)
}

// freshFor is how old a request may be that another node forwards. It may have
// lain in a connection while this process was stopped, and what became of it since
// may be forgotten here: table.Memory is longer than somebody repeats a command by
// a minute. No two clocks are compared for it: a request names what this process
// has told last of its own, and if that is long ago, or was never told, the node
// that forwards it is asked whether it still wants it. So nobody can repeat one
// later, nor to the process that comes after this one.
const freshFor = 30 * time.Second

// tells is this process's clock, as it tells other nodes: in ms, since a time that
// no other process counts from.
func (e *Engine) tells(now time.Time) uint64 { return uint64(e.boot) + uint64(now.UnixMilli()) }

// onTablePing answers who wants to know whether this node is there, with its clock.
func (e *Engine) onTablePing(msg *nats.Msg) {
	if err := msg.Respond(strconv.AppendUint(nil, e.tells(time.Now()), 10)); err != nil && !e.closed() {
		e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a node that asks for this one could not be answered")
	}
}

// errReplayed is that somebody has published a request again.
var errReplayed = errors.New("it came before, or one that was sent after it")

// replays are the last requests of other nodes, so that none counts twice. A process
// numbers its requests as it sends them, and NATS keeps their order; one that a
// change of servers has brought out of order is sent again, as one that is lost. It is
// owned by the goroutine of a subscription.
type replays map[string]*lastRequest // by where the process takes answers

type lastRequest struct {
	number uint64
	at     time.Time // when it came
}

// keepSenders is how long a process is remembered that sends nothing: longer than
// freshFor by as much as somebody may set a clock back.
const keepSenders = time.Hour

// isNew reports whether a request came for the first time that is to be answered there.
func (r replays) isNew(reply string, now time.Time) bool {
	dot := strings.LastIndexByte(reply, '.')
	number, err := strconv.ParseUint(reply[dot+1:], 10, 64)
	if err != nil || dot < 0 {
		return false
	}
	last := r[reply[:dot]]
	if last == nil {
		for sender, last := range r {
			if now.Sub(last.at) > keepSenders {
				delete(r, sender)
			}
		}
		last = &lastRequest{}
		r[strings.Clone(reply[:dot])] = last
	}
	if number <= last.number {
		return false
	}
	last.number, last.at = number, now
	return true
}
