// Package rooms is the engine: room actors over a JetStream stream.
//
// An event is published to room.<room>.event, stored by the stream, and
// republished with its sequence to room.<room>.log. Each node that has members
// of a room holds one subscription on that subject; the room's actor puts the
// copies in order, repairs holes from the log, encodes each event once and
// hands the same bytes to every local member. There is no shortcut past the
// log, so every member on every node sees one order.
//
// An Engine is safe for concurrent use. What a member is, the engine does not
// know: see [Member].
package rooms
