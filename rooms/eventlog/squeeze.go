package eventlog

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// How a log that many may write to is shared out: before it is full, and the
// oldest events of all go, the rooms with the most keep fewer.
const (
	// squeezeFrom is the part of the log's bytes from which each room keeps half as
	// many events, and again until that is enough; below looseFrom it keeps twice as
	// many, up to History.
	//
	// There is much room between squeezeFrom and the whole: when a NATS server is
	// killed, events that a limit has dropped in the last minutes are back when it
	// starts, and what they are too many by it takes from the oldest of all.
	squeezeFrom = 3.0 / 8
	looseFrom   = 1.0 / 8
	// LeastKept is what a room keeps in any case.
	LeastKept = 8

	metaSqueezed = "roomd_squeezed" // in the metadata: the limit per room is one of Share's
)

// Share sets the limit per room so that the log does not reach its bound in
// bytes, and returns the limit and whether it was changed. Nodes that do so
// together set the same one. NoteLimit must have been called for the same s.
func (l *Log) Share(ctx context.Context, s Standing) (limit int64, changed bool, err error) {
	c := s.info.Config
	limit = shareOf(c, s.info.State.Bytes, l.cfg.History)
	if limit == c.MaxMsgsPerSubject {
		return limit, false, nil
	}
	metadata := metadataWith(c, map[string]string{metaSqueezed: strconv.FormatBool(limit < l.cfg.History)})
	return limit, true, l.edit(ctx, map[string]any{"max_msgs_per_subject": limit, "metadata": metadata})
}

func shareOf(c jetstream.StreamConfig, bytes uint64, history int64) int64 {
	limit, part := c.MaxMsgsPerSubject, float64(bytes)/float64(c.MaxBytes)
	switch {
	case c.MaxBytes <= 0:
	case part > squeezeFrom && (limit <= 0 || limit > LeastKept):
		if limit <= 0 {
			limit = history
		}
		return max(limit/2, min(LeastKept, history))
	case part < looseFrom && c.Metadata[metaSqueezed] == "true" && limit < history:
		return min(2*limit, history)
	}
	return limit
}
