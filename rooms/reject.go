package rooms

import (
	"fmt"

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

// watchRejects looks at everything that was stored, on one node of all, and
// publishes what is not valid to room.<room>.rejected. It listens on the log's
// side: a subscription on the events themselves would be taken for a stream
// that answers, when there is none.
func (e *Engine) watchRejects() error {
	_, err := e.nc.QueueSubscribe(wire.AllLogs, rejectQueue, func(msg *nats.Msg) {
		token, _ := wire.SubjectToken(msg.Subject)
		_, reason := wire.RoomFromToken(token)
		if reason == nil {
			_, reason = wire.ReadStored(msg.Data)
		}
		if reason != nil {
			e.reject(token, msg, reason)
		}
	})
	if err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", wire.AllLogs, err)
	}
	return nil
}

func (e *Engine) reject(token string, msg *nats.Msg, reason error) {
	e.stats.Rejected.Add(1)
	seq := eventlog.CopySeq(msg)
	e.cfg.Log.Warn().Str("room", token).Str("seq", seq).AnErr("reason", reason).Msg("an injected event is not valid and reaches no client")
	out := &nats.Msg{
		Subject: "room." + token + ".rejected",
		Header:  nats.Header{HeaderReason: []string{reason.Error()}, HeaderSeq: []string{seq}},
		Data:    msg.Data,
	}
	if err := e.nc.PublishMsg(out); err != nil {
		e.cfg.Log.Error().Err(err).Str("subject", out.Subject).Msg("a rejected event could not be reported")
	}
}
