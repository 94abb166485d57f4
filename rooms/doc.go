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
// An Engine is safe for concurrent use.
//
// # What is lost on the way
//
// A copy that was lost with nothing after it would not be noticed, so every 3
// seconds in which the log has moved, the last sequences of the rooms with new
// events are compared with the log's (of all rooms when there were many events;
// beyond 10,000 rooms they take turns), and of all at once after a reconnect or
// when NATS says that copies were dropped. When half of the log is replaced in
// less than that, it is done then, ten times a second at most: a room without
// events would not know any more that it has missed none, and would tell its
// members to refresh. (A log that is replaced several times a second has too
// small a --history for what is said in it.) The node beside an embedded server
// hears every event there is, and knows so by itself.
//
// An event that was injected and is not valid reaches no client, and is told on
// room.<room>.rejected, by one node: by the one beside the embedded server if
// there is one, which hears all rooms anyway, else by the nodes in turn. While
// a second node starts beside an embedded server, it may be told twice.
//
// # Whom to believe
//
// A read of the log is answered by any replica, and it may be behind. So each
// answer counts as far as its replica certainly was, and that an event is not
// there is believed from a replica that was far enough, or from the log's
// leader; that the log ends before an event, only from a leader that a majority
// of the replicas has answered since it was asked. After a change of leader, or
// of the connection, a room has its last event confirmed by the leader before
// it delivers the next. Package follow holds these rules and nothing else, and
// its model test runs them against logs that lag, drop, roll back and are
// forged: go test -fuzz=FuzzModel ./rooms/follow as long as you let it.
//
// # Members
//
// A room must write to its members and a session must join rooms, yet there is
// no import cycle: rooms says in a small interface, [Member], what it needs of
// a member and knows nothing else of it; session imports rooms and its Client
// implements that interface. The reference at run time goes both ways, the
// import one way. Tests make members of their own, and a program could put
// something other than a WebSocket there.
package rooms
