package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// The stream's metadata records the limit per room. An operator may raise the
// limit at any time; until a node has recorded at which sequence that was, only
// the lower limit is certain to have been kept.
const (
	metaLimit = "roomd_history"       // a limit per room
	metaSince = "roomd_history_since" // the sequence after which it was never lower
)

// limitOf returns a limit per room and a sequence after which no event was
// discarded by a lower one.
func (l *Log) limitOf(c jetstream.StreamConfig) (limit int64, since uint64) {
	recorded, errLimit := strconv.ParseInt(c.Metadata[metaLimit], 10, 64)
	since, errSince := strconv.ParseUint(c.Metadata[metaSince], 10, 64)
	if errLimit != nil || errSince != nil {
		return 1, 0 // not recorded: nothing is certain, even a room with one event may have had more
	}
	if lower(c.MaxMsgsPerSubject, recorded) {
		return c.MaxMsgsPerSubject, since
	}
	return recorded, since
}

// updateStream updates an existing stream to the configuration. Whatever the
// configuration does not cover stays as it is: placement, metadata and other
// settings of the operator.
func (l *Log) updateStream(ctx context.Context, have, want jetstream.StreamConfig) error {
	if l.cfg.Replicas == 0 {
		want.Replicas = max(want.Replicas, have.Replicas)
	}
	if err := conflicts(have, want); err != nil {
		return err
	}
	if have.Metadata[metaShrunk] == "true" && lower(have.MaxMsgsPerSubject, want.MaxMsgsPerSubject) {
		want.MaxMsgsPerSubject = have.MaxMsgsPerSubject // AdjustLimit raises it again when there is room
	}
	// The present limit is recorded before it is raised: it may have been lowered
	// by hand while no node was running.
	if err := l.recordLimitNow(ctx); err != nil {
		return openError(want, err)
	}
	change, err := pickManaged(want)
	if err == nil {
		err = l.edit(ctx, change)
	}
	if err != nil {
		return openError(want, err)
	}
	return openError(want, l.recordLimitNow(ctx))
}

func (l *Log) recordLimitNow(ctx context.Context) error {
	state, err := l.leaderState(ctx)
	if err != nil {
		return err
	}
	return l.RecordLimit(ctx, state)
}

// leaderState is State for Open, which has no l.stream yet.
func (l *Log) leaderState(ctx context.Context) (StreamState, error) {
	stream, err := l.js.Stream(ctx, l.name)
	if err != nil {
		return StreamState{}, err
	}
	info := stream.CachedInfo()
	return StreamState{Epoch: epochOf(info.Created), First: info.State.FirstSeq, Last: info.State.LastSeq, info: info}, nil
}

// RecordLimit writes the stream's limit per room into its metadata if it was
// changed: a lower one applies to all events, a higher one to those after
// s.Last.
func (l *Log) RecordLimit(ctx context.Context, s StreamState) error {
	c := s.info.Config
	limit := strconv.FormatInt(c.MaxMsgsPerSubject, 10)
	if c.Metadata[metaLimit] == limit && c.Metadata[metaSince] != "" {
		return nil
	}
	_, since := l.limitOf(c)
	recorded, err := strconv.ParseInt(c.Metadata[metaLimit], 10, 64)
	if err != nil || lower(recorded, c.MaxMsgsPerSubject) {
		since = s.Last
	}
	metadata := metadataWith(c, map[string]string{metaLimit: limit, metaSince: strconv.FormatUint(since, 10)})
	return l.edit(ctx, map[string]any{"metadata": metadata})
}

// metadataWith returns the stream's metadata with the entries of set replaced.
func metadataWith(c jetstream.StreamConfig, set map[string]string) map[string]any {
	all := make(map[string]any, len(c.Metadata)+len(set))
	for _, from := range []map[string]string{c.Metadata, set} {
		for key, value := range from {
			all[key] = value
		}
	}
	return all
}

// managedFields are the fields of the stream's configuration that this program
// sets, by their JSON names. The header-driven features are among them because
// they must be off.
var managedFields = []string{
	"subjects", "retention", "storage", "num_replicas", "discard", "max_msgs_per_subject", "max_age", "max_bytes", "max_msg_size",
	"duplicate_window", "allow_direct", "deny_delete", "deny_purge", "republish",
	"allow_rollup_hdrs", "allow_msg_ttl", "allow_msg_counter", "allow_atomic", "allow_msg_schedules", "allow_batched",
}

// pickManaged returns the managedFields of a configuration, as JSON.
func pickManaged(c jetstream.StreamConfig) (map[string]any, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	picked := make(map[string]any, len(managedFields))
	for _, name := range managedFields {
		picked[name] = all[name]
	}
	return picked, nil
}

// edit changes fields of the stream's configuration. All others are sent back
// as the server gave them, including those that this version of nats.go does
// not know.
func (l *Log) edit(ctx context.Context, want map[string]any) error {
	var info struct {
		Config map[string]any `json:"config"`
		Error  *apiError      `json:"error"`
	}
	if err := l.api(ctx, "$JS.API.STREAM.INFO."+l.name, nil, &info); err != nil {
		return err
	}
	if info.Error != nil {
		return info.Error
	}
	changed := false
	for name, value := range want {
		if !jsonEqual(info.Config[name], value) {
			info.Config[name], changed = value, true
		}
	}
	if !changed {
		return nil
	}
	body, err := json.Marshal(info.Config)
	if err != nil {
		return err
	}
	var answer struct {
		Error *apiError `json:"error"`
	}
	if err := l.api(ctx, "$JS.API.STREAM.UPDATE."+l.name, body, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}

// jsonEqual compares two decoded JSON values; an absent one equals false.
func jsonEqual(a, b any) bool {
	absent := func(v any) bool { return v == nil || v == false }
	return absent(a) && absent(b) || reflect.DeepEqual(a, b)
}

func (l *Log) api(ctx context.Context, subject string, body []byte, answer any) error {
	msg, err := l.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	dec := json.NewDecoder(bytes.NewReader(msg.Data))
	dec.UseNumber() // float64 would round sizes and times
	if err := dec.Decode(answer); err != nil {
		return fmt.Errorf("read the answer to %s: %w", subject, err)
	}
	return nil
}
