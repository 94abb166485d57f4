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

// What the stream's metadata says of the limit per room. Whoever raises the
// limit by hand does not say since when it is so: until a node has noted it,
// the lower one is what may be believed.
const (
	metaLimit = "roomd_history"       // a limit per room
	metaSince = "roomd_history_since" // the sequence since which it has never been lower
)

// limitOf is the limit per room of which it is certain that no event after
// since was lost to a lower one.
func (l *Log) limitOf(c jetstream.StreamConfig) (limit int64, since uint64) {
	noted, errLimit := strconv.ParseInt(c.Metadata[metaLimit], 10, 64)
	since, errSince := strconv.ParseUint(c.Metadata[metaSince], 10, 64)
	if errLimit != nil || errSince != nil {
		return 1, 0 // a room with one event may have had more
	}
	if lower(c.MaxMsgsPerSubject, noted) {
		return c.MaxMsgsPerSubject, since
	}
	return noted, since
}

// updateStream brings an existing stream to what is wanted, and leaves alone
// what the configuration does not speak of: placement, metadata and whatever
// else an operator has set.
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
	// What limit there was is noted before it is raised: it may have been
	// lowered by hand while no node ran.
	if err := l.noteNow(ctx); err != nil {
		return openError(want, err)
	}
	change, err := fields(want)
	if err == nil {
		err = l.edit(ctx, change)
	}
	if err != nil {
		return openError(want, err)
	}
	return openError(want, l.noteNow(ctx))
}

func (l *Log) noteNow(ctx context.Context) error {
	standing, err := l.standingOf(ctx)
	if err != nil {
		return err
	}
	return l.NoteLimit(ctx, standing)
}

// standingOf asks the leader before Open has a stream to ask by.
func (l *Log) standingOf(ctx context.Context) (StreamState, error) {
	stream, err := l.js.Stream(ctx, l.name)
	if err != nil {
		return StreamState{}, err
	}
	info := stream.CachedInfo()
	return StreamState{Epoch: epochOf(info.Created), First: info.State.FirstSeq, Last: info.State.LastSeq, info: info}, nil
}

// NoteLimit writes into the stream's metadata what limit per room there is,
// when somebody has changed it: a lower one at once, a higher one as from now.
func (l *Log) NoteLimit(ctx context.Context, s StreamState) error {
	c := s.info.Config
	limit := strconv.FormatInt(c.MaxMsgsPerSubject, 10)
	if c.Metadata[metaLimit] == limit && c.Metadata[metaSince] != "" {
		return nil
	}
	_, since := l.limitOf(c)
	noted, err := strconv.ParseInt(c.Metadata[metaLimit], 10, 64)
	if err != nil || lower(noted, c.MaxMsgsPerSubject) {
		since = s.Last
	}
	metadata := metadataWith(c, map[string]string{metaLimit: limit, metaSince: strconv.FormatUint(since, 10)})
	return l.edit(ctx, map[string]any{"metadata": metadata})
}

// metadataWith is the stream's metadata with some of it set anew.
func metadataWith(c jetstream.StreamConfig, set map[string]string) map[string]any {
	all := make(map[string]any, len(c.Metadata)+len(set))
	for _, from := range []map[string]string{c.Metadata, set} {
		for key, value := range from {
			all[key] = value
		}
	}
	return all
}

// ours are the fields of the stream's configuration that this program sets, as
// JSON names them. The header-driven features are among them to be off.
var ours = []string{
	"subjects", "retention", "storage", "num_replicas", "discard", "max_msgs_per_subject", "max_age", "max_bytes", "max_msg_size",
	"duplicate_window", "allow_direct", "deny_delete", "deny_purge", "republish",
	"allow_rollup_hdrs", "allow_msg_ttl", "allow_msg_counter", "allow_atomic", "allow_msg_schedules", "allow_batched",
}

// fields are those of a configuration that are ours.
func fields(c jetstream.StreamConfig) (map[string]any, error) {
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
	picked := make(map[string]any, len(ours))
	for _, name := range ours {
		picked[name] = all[name]
	}
	return picked, nil
}

// edit sets fields of the stream's configuration. The rest is handed back as
// the server gave it, also what this program's library does not know.
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
		if !same(info.Config[name], value) {
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

// same compares two values of JSON; an absent one is false.
func same(a, b any) bool {
	absent := func(v any) bool { return v == nil || v == false }
	return absent(a) && absent(b) || reflect.DeepEqual(a, b)
}

func (l *Log) api(ctx context.Context, subject string, body []byte, answer any) error {
	msg, err := l.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	dec := json.NewDecoder(bytes.NewReader(msg.Data))
	dec.UseNumber() // sizes and times must come back as they were
	if err := dec.Decode(answer); err != nil {
		return fmt.Errorf("read the answer to %s: %w", subject, err)
	}
	return nil
}
