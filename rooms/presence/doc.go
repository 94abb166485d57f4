// Package presence knows who is in one room, over many nodes.
//
// A [Table] is the membership of one room as one node sees it. It is pure: it
// reads no clock, does no I/O and starts no goroutine. The caller passes in the
// time and the messages of other nodes, and sends what LocalDiff and LocalState
// return. It is not safe for concurrent use: the actor of the room owns it.
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
// A node reports only its own users: [Table.LocalDiff] at every interval,
// [Table.LocalState] to a node that asks. Versions of a node are consecutive,
// so the receiver detects a gap ([Table.Apply] returns true: ask that node for
// its state). That the last message was lost is found by comparing the versions
// in heartbeats ([Table.Behind]); a dead node is removed by [Table.DropNode].
//
// A node that restarts is another process under the same name ([Boot]). Which
// of the two is alive is decided neither by clocks nor by a Table, but by
// [Peers], from the heartbeats, for all rooms. The users of the previous
// process keep their seats until [Table.DropProcess], because its clients are
// reconnecting.
//
// The caller is responsible for four things that a Table cannot see:
//
//   - Whatever it passes to Apply or Behind comes from the process that is
//     alive: [Peers.Hear] did not return Stale for it.
//   - The incarnation must rise with every New of the same room in a process: a
//     table made again after its room was unloaded starts at version 0, and its
//     peers would ignore its diffs as old ones. A counter will do. Nodes of
//     version 0 know no boots and compare incarnations of two processes as
//     well, so the counter should start at the current time.
//   - A node that is alive but no longer has the room open sends nothing about
//     it. It must have reported that everybody left, or report it by a full
//     state of version 0 under a higher incarnation, as after the room failed.
//   - A message that a dead node sent before it died may arrive after DropNode
//     and bring its users back; so any message from a node must restart the
//     count of its missed heartbeats.
//
// A room with a single member (a user's inbox) takes well under a kilobyte:
// TestFootprint.
package presence
