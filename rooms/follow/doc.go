// Package follow decides how one room on one node follows its log: which live
// copies are delivered, what is read to fill a hole, whose answer is believed,
// what a join replays and whether it may be called recovered.
//
// It is pure: no NATS, no clock, no goroutine. A [Follower] takes inputs (a
// live [Copy], a [Page] that was read, a [Verdict] of the log's leader, a
// [Check], joins and history requests) and answers with calls of its
// [Effects]. Whoever owns it carries them out and brings the answers back.
//
// What it may believe:
//
//   - A page counts up to the high watermark of the replica that gave it. That
//     an event is not in the log is believed only of a replica whose high
//     watermark is beyond it, or of the leader.
//   - A log discards the oldest events first, of a room as of the whole stream.
//     So while an event of the room is there, nothing later of it is gone.
//   - A live copy that follows the last one delivered is delivered. Anybody who
//     may publish on the log's subject can forge such a copy; it may be shown,
//     and is found out by the next copy that contradicts it, or by a check.
package follow
