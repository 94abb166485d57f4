// Package follow decides how one room on one node follows its log: which live
// copies are delivered, what is read to fill a gap, which replica is trusted,
// what a join replays and whether it is recovered.
//
// It is pure: no NATS, no clock, no goroutine. A [Follower] takes inputs (a
// live [Copy], a [Page] that was read, a [Verdict] of the log's leader, a
// [Check], joins and history requests) and answers with calls of its [Effects].
// Its owner carries them out and passes the results back.
//
// What it trusts:
//
//   - A page is valid up to the high watermark of its replica. That an event is
//     not in the log is trusted only from a replica whose high watermark is
//     beyond it, or from the leader.
//   - A log discards the oldest events first, of a room as of the whole stream.
//     So while an event of the room is there, no later one of it is discarded.
//   - A live copy that follows the last one delivered is delivered. Anybody who
//     may publish on the log's subject can forge such a copy; it may be shown,
//     and is detected by the next copy that contradicts it, or by a check.
package follow
