package eventlog

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The limit of events per room depends on how full the log is. It is lowered
// before the log reaches its limit in bytes, at which the oldest events of any
// room would be discarded; so the rooms with the most events lose theirs first.
const (
	// shrinkAbove is the fraction of HistoryBytes above which the limit is
	// halved, again and again until that is enough; below growBelow it is
	// doubled, up to History.
	//
	// There is much space between shrinkAbove and 1: after a NATS server was
	// killed, events that a limit discarded in the last minutes are back when it
	// starts, and the excess is discarded from the oldest events of any room.
	shrinkAbove = 3.0 / 8
	growBelow   = 1.0 / 8
	// MinKept is below how many events per room the limit is never lowered.
	MinKept = 8

	metaShrunk = "roomd_squeezed" // in the stream's metadata: "true" if AdjustLimit has lowered the limit
)

// AdjustLimit changes the limit per room so that the log does not reach its
// limit in bytes, and returns it and whether it was changed. Nodes that do so
// at once set the same one. RecordLimit must have been called for the same s.
func (l *Log) AdjustLimit(ctx context.Context, s StreamState) (limit int64, changed bool, err error) {
	c := s.info.Config
	if l.cfg.Space == wire.SpaceTables {
		return c.MaxMsgsPerSubject, false, nil // a step may go only below a snapshot that holds it
	}
	limit = limitFor(c, s.info.State.Bytes, l.cfg.History)
	if limit == c.MaxMsgsPerSubject {
		return limit, false, nil
	}
	metadata := metadataWith(c, map[string]string{metaShrunk: strconv.FormatBool(limit < l.cfg.History)})
	return limit, true, l.edit(ctx, map[string]any{"max_msgs_per_subject": limit, "metadata": metadata})
}

func limitFor(c jetstream.StreamConfig, bytes uint64, history int64) int64 {
	limit, fullness := c.MaxMsgsPerSubject, float64(bytes)/float64(c.MaxBytes)
	switch {
	case c.MaxBytes <= 0:
	case fullness > shrinkAbove && (limit <= 0 || limit > MinKept):
		if limit <= 0 {
			limit = history
		}
		return max(limit/2, min(MinKept, history))
	case fullness < growBelow && c.Metadata[metaShrunk] == "true" && limit < history:
		return min(2*limit, history)
	}
	return limit
}
