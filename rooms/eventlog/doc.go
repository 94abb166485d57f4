// Package eventlog does the I/O on the JetStream streams that hold the logs of
// all rooms and inboxes: opening a stream, publishing with an ack, and reading.
//
// Reads are direct gets. Any replica of the stream may answer one, and a
// replica may lag behind. So every answer carries the replica's high watermark;
// what to conclude from an event that is missing in an answer is up to
// [follow.Follower]. Where that matters the stream's leader is read instead:
// one event at a time, and by [Log.Ask]. A leader may have been deposed without
// knowing it yet; that the log ends before a sequence is believed only when a
// majority of the replicas has answered the leader since it was asked.
//
// Errors that a client may see are *wire.Error. A Log and a Publisher are safe
// for concurrent use.
package eventlog
