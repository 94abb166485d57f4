package rooms

import (
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Headers of ours on room subjects.
const (
	// HeaderReason is on a message of room.<room>.rejected: code and sentence.
	HeaderReason = "Roomd-Reason"
	// HeaderSeq is there too: the sequence under which it stands in the log.
	HeaderSeq = "Roomd-Seq"

	// hdrSession names the session that a signal came from and does not go to.
	hdrSession = "Roomd-Session"
)

// rejectQueue is the queue group in which one node looks at each stored event.
const rejectQueue = "roomd"

// inspection is the look at everything that was stored, on one node of all, for
// what is not valid. A node that hears all rooms anyway looks at what it hears,
// and says so in its heartbeat; then the other nodes do not. Where there is
// none, the nodes take turns by a queue subscription, which brings an event
// that is also for one of the node's rooms a second time. It is on the log's
// side: a subscription on the events themselves would be taken for a stream
// that answers, when there is none.
type inspection struct {
	mu         sync.Mutex
	queue      []*nats.Subscription // on the log of each space; none: others look
	inspectors map[string]struct{}  // the nodes that hear all
}

// inspect has node look at everything, or, with all false, not any more.
// Between the start of a node and its first look at the heartbeats of others an
// event may be rejected twice.
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

// onInspector is inspect for what another node said of itself.
func (e *Engine) onInspector(node string, all bool) {
	if err := e.setInspector(node, all); err != nil && !e.closed() {
		e.cfg.Log.Error().Err(err).Msg("this node cannot look for events that are not valid; restart it")
	}
}

// inspectUnread looks at a copy that no room has looked at.
func (e *Engine) inspectUnread(msg *nats.Msg) {
	if e.cfg.HearAll {
		e.rejectInvalid(msg)
	}
}

// rejectInvalid publishes what is not valid to room.<room>.rejected, or
// inbox.<uid>.rejected.
func (e *Engine) rejectInvalid(msg *nats.Msg) {
	space, token, _ := wire.SubjectToken(msg.Subject)
	_, reason := space.Room(token)
	if reason == nil {
		_, reason = wire.ReadStored(msg.Data)
	}
	if reason != nil {
		e.reject(msg, reason)
	}
}

func (e *Engine) reject(msg *nats.Msg, reason error) {
	e.stats.Rejected.Add(1)
	space, token, _ := wire.SubjectToken(msg.Subject)
	seq := eventlog.CopySeq(msg)
	e.cfg.Log.Warn().Str("subject", msg.Subject).Str("seq", seq).AnErr("reason", reason).Msg("an injected event is not valid and reaches no client")
	out := &nats.Msg{
		Subject: space.Rejected(token),
		Header:  nats.Header{HeaderReason: []string{reason.Error()}, HeaderSeq: []string{seq}},
		Data:    msg.Data,
	}
	if err := e.nc.PublishMsg(out); err != nil {
		e.cfg.Log.Error().Err(err).Str("subject", out.Subject).Msg("a rejected event could not be reported")
	}
}
