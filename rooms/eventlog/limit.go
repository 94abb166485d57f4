package eventlog

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// The limit of events per room adapts to how full the log is. Before the log
// reaches its bound in bytes, and drops the oldest events of any room, the
// limit falls, so that the rooms with the most events lose theirs first.
const (
	// shrinkAbove is the part of the log's bytes above which the limit is
	// halved, again and again until that is enough; below growBelow it is
	// doubled, up to History.
	//
	// There is much room between shrinkAbove and the whole: when a NATS server
	// is killed, events that a limit has dropped in the last minutes are back
	// when it starts, and the excess is taken from the oldest events of any
	// room.
	shrinkAbove = 3.0 / 8
	growBelow   = 1.0 / 8
	// MinKept is how many events a room keeps in any case.
	MinKept = 8

	metaShrunk = "roomd_squeezed" // in the stream's metadata: AdjustLimit has lowered the limit
)

// AdjustLimit sets the limit per room so that the log does not reach its bound
// in bytes, and returns the limit and whether it was changed. Nodes that do so
// together set the same one. NoteLimit must have been called for the same s.
func (l *Log) AdjustLimit(ctx context.Context, s StreamState) (limit int64, changed bool, err error) {
	c := s.info.Config
	limit = limitFor(c, s.info.State.Bytes, l.cfg.History)
	if limit == c.MaxMsgsPerSubject {
		return limit, false, nil
	}
	metadata := metadataWith(c, map[string]string{metaShrunk: strconv.FormatBool(limit < l.cfg.History)})
	return limit, true, l.edit(ctx, map[string]any{"max_msgs_per_subject": limit, "metadata": metadata})
}

func limitFor(c jetstream.StreamConfig, bytes uint64, history int64) int64 {
	limit, part := c.MaxMsgsPerSubject, float64(bytes)/float64(c.MaxBytes)
	switch {
	case c.MaxBytes <= 0:
	case part > shrinkAbove && (limit <= 0 || limit > MinKept):
		if limit <= 0 {
			limit = history
		}
		return max(limit/2, min(MinKept, history))
	case part < growBelow && c.Metadata[metaShrunk] == "true" && limit < history:
		return min(2*limit, history)
	}
	return limit
}
