// Package eventlog is the I/O on the streams that are the logs of every room,
// and of every inbox: opening one, appending with an ack, and reading.
//
// Reads are direct gets, which any replica of the stream may answer, and it may
// be behind. So every answer says how far the one who gave it certainly was;
// what an answer does not have is for [follow.Follower] to judge. The stream's
// leader is asked where that matters: one event at a time, and by [Log.Ask].
// Even a leader may be none any more, without knowing it; that the log ends it
// may say only when a majority of the replicas has answered it since it was
// asked.
//
// Errors that a client may see are *wire.Error. A Log and a Publisher are safe
// for concurrent use.
package eventlog
