package rooms

import (
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// protocolVersion is the version, v, of the messages between nodes: heartbeats,
// gossip, commands and replies. Nodes of two versions work side by side, so
// that a cluster can be updated node by node, and rolled back:
//
//   - No v is version 0, which was released before there was a version.
//   - A version adds fields, kinds of messages and commands. Existing ones keep
//     their names and meanings for ever; a new meaning takes a new name. So no
//     node has to know which version another one has.
//   - An unknown field is ignored.
//   - A request (it has a reply subject) that is unknown or cannot be executed is
//     answered at once by {"v", "node", "error": {"code", "message"}}. That counts
//     as a reply: the sender learns which node cannot execute it, and does not
//     wait. A node of version 0 does not reply to an unknown command.
//   - An unknown message that is no request is ignored. From a node of a later
//     version that is not logged either.
//
// Version 1 added v, the boot, the beat in an ask, and error. Version 0 still
// needs `started` in a heartbeat, and incarnations that rise from one process
// to the next, as clocks do when they are right.
//
// Version 2 added the list of rooms in parts: lobby in the command rooms.
//
// Version 3 added the command connections.
const protocolVersion = 3

// replyError is why a node does not execute a request: a code for programs and
// a sentence for people.
type replyError struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
}

// replyWithError answers a request of another node with err. A message without
// a reply subject gets no answer.
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
