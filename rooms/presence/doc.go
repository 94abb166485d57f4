// Package presence knows who is in one room, over many nodes.
//
// A [Table] is the membership of one room as one node sees it. It is pure: it
// reads no clock, does no I/O and starts no goroutine; time and messages are
// passed in, and what there is to say is asked for. It is not safe for
// concurrent use: the actor of the room owns it.
//
// # Users and sessions
//
// A user is one entry however many sessions it has and on however many nodes.
// A session that was cut off keeps its seat until a deadline ([Table.Away]), so
// that a reconnect shows nobody leaving. The owner needs one timer for all
// kept seats: set it to [Table.NextDeadline], then call [Table.Expire].
//
// # Nodes
//
// A node speaks only of its own users: [Table.LocalDiff] at every interval,
// [Table.LocalState] to whoever asks. Versions of a node are consecutive, so
// the receiver sees a hole ([Table.Apply] returns true: ask that node for its
// state). A lost last message is found by comparing heartbeats
// ([Table.Behind]), a dead node is removed by [Table.DropNode].
//
// A node that restarts is another process under the same name ([Boot]). Which
// one lives is not a matter of clocks, nor of a Table: [Peers] decides it by
// the heartbeats, for all rooms. The users of the process before keep their
// seats until [Table.DropPart], because its clients are on their way back.
//
// Four duties stay with the caller, because a Table cannot see them:
//
//   - What it applies, or compares by Behind, is of the process that lives:
//     [Peers.Hear] has not said Late.
//   - The incarnation must rise with every New of the same room in a process: a
//     table made again after its room was unloaded starts at version 0, and its
//     peers would take what it says for old news. A counter is good. Nodes of
//     version 0 know no boots and compare incarnations of two processes as
//     well, so the counter should begin with the time.
//   - A node that is alive but no longer has the room open says nothing of it.
//     It must have told that everybody left, or tell it by a full state of
//     version 0 under a higher incarnation, as when the room has failed.
//   - A message that a dead node sent before it died may arrive after DropNode
//     and bring its users back; hearing from a node must therefore start the
//     count of missed heartbeats again.
//
// A room with a single member (a user's inbox) takes well under a kilobyte; see
// TestFootprint for the figures.
package presence
