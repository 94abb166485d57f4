package rooms

import (
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Headers on room subjects.
const (
	// HeaderReason is why an event was rejected, on room.<room>.rejected: code
	// and sentence.
	HeaderReason = "Roomd-Reason"
	// HeaderSeq is the sequence of the rejected event in the log.
	HeaderSeq = "Roomd-Seq"

	// hdrSession is the id of the session that does not get a signal: its sender.
	hdrSession = "Roomd-Session"
)

// rejectQueue is the queue group in which one node validates each stored event.
const rejectQueue = "roomd"

// inspection is how the nodes share the work of validating every stored event.
// A node with HearAll validates what it receives anyway, and says so in its
// heartbeat; then the other nodes do not. If there is none, the nodes take
// turns by a queue subscription, which brings an event that is also for one of
// the node's rooms a second time. It subscribes to the log's subjects and not
// to those of the events: there a subscriber would hide from publishers that no
// stream answers.
type inspection struct {
	mu         sync.Mutex
	queue      []*nats.Subscription // on the log of each space; none: other nodes validate
	inspectors map[string]struct{}  // the nodes with HearAll
}

// setInspector records whether a node validates all events, and subscribes or
// unsubscribes this node. Between the start of a node and the first heartbeat
// that it receives, an event may be rejected twice.
func (e *Engine) setInspector(node string, all bool) error {
	in := &e.inspection
	in.mu.Lock()
	defer in.mu.Unlock()
	if all {
		if in.inspectors == nil {
			in.inspectors = make(map[string]struct{})
		}
		in.inspectors[node] = struct{}{}
	} else {
		delete(in.inspectors, node)
	}
	switch {
	case len(in.inspectors) == 0 && in.queue == nil:
		for space := range wire.Space(wire.Spaces) {
			sub, err := e.nc.QueueSubscribe(space.AllLogs(), rejectQueue, e.rejectInvalid)
			if err != nil {
				return fmt.Errorf("rooms: subscribe to %s: %w", space.AllLogs(), err)
			}
			in.queue = append(in.queue, sub)
		}
	case len(in.inspectors) != 0:
		for _, sub := range in.queue {
			_ = sub.Unsubscribe() // fails only when the connection is closed
		}
		in.queue = nil
	}
	return nil
}

// onInspector is setInspector for what another node's heartbeat says.
func (e *Engine) onInspector(node string, all bool) {
	if err := e.setInspector(node, all); err != nil && !e.closed() {
		e.cfg.Log.Error().Err(err).Msg("this node cannot look for events that are not valid; restart it")
	}
}

// inspectUnread validates a copy that no room has validated.
func (e *Engine) inspectUnread(msg *nats.Msg) {
	if e.cfg.HearAll {
		e.rejectInvalid(msg)
	}
}

// rejectInvalid reports an invalid event on room.<room>.rejected, or
// inbox.<uid>.rejected.
func (e *Engine) rejectInvalid(msg *nats.Msg) {
	space, token, _ := wire.SubjectToken(msg.Subject)
	if space == wire.SpaceRooms && eventlog.OfStream(msg, eventlog.StepsStream) {
		return // of nodes, which alone may publish there
	}
	room, reason := space.Room(token)
	if reason == nil && space == wire.SpaceRooms && e.IsTable(room) {
		if !e.cfg.HearAll {
			e.tellOwner(token, msg) // with HearAll it has been told
		}
		return // its owner rejects what is no command, when it takes it
	}
	if reason == nil {
		_, reason = wire.ReadStored(msg.Data)
	}
	if reason != nil {
		e.rejectCopy(msg, reason)
	}
}

func (e *Engine) rejectCopy(msg *nats.Msg, reason error) {
	space, token, _ := wire.SubjectToken(msg.Subject)
	e.reject(space.Rejected(token), eventlog.CopySeq(msg), msg.Data, reason)
}

// reject reports an event that is not valid.
func (e *Engine) reject(subject, seq string, body []byte, reason error) {
	e.stats.Rejected.Add(1)
	e.cfg.Log.Warn().Str("subject", subject).Str("seq", seq).AnErr("reason", reason).Msg("an injected event is not valid and reaches no client")
	e.tellRejected(subject, seq, body, reason)
}

func (e *Engine) tellRejected(subject, seq string, body []byte, reason error) {
	out := &nats.Msg{Subject: subject, Header: nats.Header{HeaderReason: {reason.Error()}, HeaderSeq: {seq}}, Data: body}
	if err := e.nc.PublishMsg(out); err != nil && !e.closed() {
		e.cfg.Log.Error().Err(err).Str("subject", subject).Msg("a rejected event could not be reported")
	}
}
