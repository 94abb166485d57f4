package rooms

import (
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// speaks is the version, v, of what this node says to other nodes: heartbeats,
// what it tells of rooms, commands and answers. Nodes of two versions work side
// by side, so that a cluster can be updated node by node, and back:
//
//   - No v is version 0, which was released before there was one.
//   - A version adds fields, kinds of message and commands. What there is keeps
//     its name and its meaning for ever; whoever needs another meaning takes
//     another name. So nobody has to know which version the other speaks.
//   - A field that is not known is passed over.
//   - A request (it has a reply subject) that is not known or cannot be done is
//     answered at once by {"v", "node", "error": {"code", "message"}}. That
//     counts as an answer: who asked learns which node cannot do it, and does
//     not wait. A node of version 0 says nothing to a command that it does not
//     know.
//   - What is not known and is no request is passed over. Told by a node of a
//     later version it is not worth a line in the log.
//
// Version 1 added v, the boot, the beat in an ask, and error. What version 0
// needs of it: `started` in a heartbeat, and incarnations that rise from one
// process to the next, as clocks do when they are right.
//
// Version 2 added the list of rooms in parts: lobby in the command rooms.
//
// Version 3 added the command connections.
const protocolVersion = 3

// reason is why a node does not do what it was asked: a code for programs and a
// sentence for people.
type replyError struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
}

// refuse answers a request of another node with err. What is no request gets no
// answer.
func (e *Engine) replyWithError(msg *nats.Msg, err error) {
	if msg.Reply == "" {
		return
	}
	shown := wire.AsError(err)
	body, sendErr := json.Marshal(commandReply{V: protocolVersion, Node: e.cfg.Node, Error: &replyError{shown.Code, shown.Message}})
	if sendErr == nil {
		sendErr = e.nc.Publish(msg.Reply, body)
	}
	if sendErr != nil && !e.closed() {
		e.cfg.Log.Warn().Err(sendErr).Str("subject", msg.Subject).Msg("a request of another node could not be answered")
	}
}
