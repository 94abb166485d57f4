// Package rooms is the engine: room actors over a JetStream stream. A user's
// inbox is a room, in a stream of its own.
//
// A message passes seven stations; => is a hop to another goroutine:
//
//	listen -> route -> handler -> Publisher.Send
//	  => NATS stores it and republishes it with its sequence =>
//	dispatch => room.Receive => writer.Receive
//
// The first four are one goroutine, that of the sender's connection. dispatch
// is one goroutine for all rooms of a node, room.Receive is the room's and
// writer.Receive the member's. There is no shortcut past the log, so every
// member on every node sees one order.
//
// A room is a loop over four parts: the follower (package follow), which puts
// the copies in order and says what to read and whom to believe; the replay,
// which gives joins and requests for history what they missed; the fan-out,
// which hands the same bytes to every local member; the roster, which knows who
// is there on all nodes.
//
// An Engine is safe for concurrent use. What a member is, the engine does not
// know: see [Member].
package rooms
