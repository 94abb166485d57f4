package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of the stream.
const (
	// MaxEventBytes is the largest event that can be stored, headers included.
	MaxEventBytes = 256 << 10
	// MaxStepBytes is the largest step of a table that can be stored, headers
	// included: with a leader's answer in base64 below the 1 MiB that NATS takes.
	MaxStepBytes = 720 << 10
	// DedupWindow is how long JetStream remembers message ids: an event that is
	// published again under its id within it is stored once.
	//
	// Senders are promised 2 minutes: the rest is for what is on its way, by a
	// node that tries for 15 s, or through a server that stands still for a
	// while.
	DedupWindow = 3 * time.Minute
)

// streamConfig returns the configuration of a new stream. Every header-driven
// feature is off (rollup, message TTL, schedules, counters, atomic publish),
// because any publisher may set headers, and with rollup on one header would
// wipe a room's log.
func streamConfig(c Config) jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if c.Memory {
		storage = jetstream.MemoryStorage
	}
	cfg := jetstream.StreamConfig{
		Name:              streamNames[c.Space],
		Description:       descriptions[c.Space],
		Subjects:          []string{c.Space.AllEvents()},
		Retention:         jetstream.LimitsPolicy,
		Storage:           storage,
		Replicas:          c.Replicas,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: c.History,
		MaxAge:            c.HistoryAge,
		MaxBytes:          c.HistoryBytes,
		MaxMsgSize:        int32(maxMessage(c.Space)),
		Duplicates:        DedupWindow,
		AllowDirect:       true,
		DenyDelete:        true,
		DenyPurge:         true,
		RePublish:         &jetstream.RePublish{Source: c.Space.AllEvents(), Destination: c.Space.LogMapping()},
	}
	if c.Space == wire.SpaceTables {
		// A step is dropped only below a snapshot that holds it, by the nodes.
		cfg.Discard, cfg.MaxMsgsPerSubject, cfg.MaxAge, cfg.DenyPurge = jetstream.DiscardNew, -1, 0, false
	}
	cfg.Metadata = map[string]string{metaLimit: strconv.FormatInt(cfg.MaxMsgsPerSubject, 10), metaSince: "0"}
	return cfg
}

// maxMessage is the largest message of a space's stream.
func maxMessage(space wire.Space) int {
	if space == wire.SpaceTables {
		return MaxStepBytes
	}
	return MaxEventBytes
}

var descriptions = [wire.Spaces]string{wire.SpaceRooms: "the log of every room", wire.SpaceInboxes: "the log of every user's inbox", wire.SpaceTables: "what was decided at every table"}

// openStream creates the stream, or updates an existing one to the
// configuration where that loses no events. Where it would, the error is a
// *ConflictError.
func (l *Log) openStream(ctx context.Context) (jetstream.Stream, error) {
	want := streamConfig(l.cfg)
	if want.Replicas == 0 {
		want.Replicas = defaultReplicas(clusterSize(l.nc))
	}
	for {
		stream, err := l.js.Stream(ctx, l.name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			stream, err = l.js.CreateStream(ctx, want)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				continue // another node created it just now
			}
			return stream, openError(want, err)
		}
		if err != nil {
			return nil, openError(want, err)
		}
		return stream, l.updateStream(ctx, stream.CachedInfo().Config, want)
	}
}

// awaitStream calls openStream until it succeeds, fails for good, or ctx ends:
// servers that are just starting have no leader yet.
func (l *Log) awaitStream(ctx context.Context) (jetstream.Stream, error) {
	tick := time.NewTicker(streamRetry)
	defer tick.Stop()
	for logged := false; ; {
		attempt, cancel := context.WithTimeout(ctx, streamAttempt)
		stream, err := l.openStream(attempt)
		cancel()
		if err == nil || !transient(err) {
			return stream, err
		}
		if !logged {
			l.cfg.Log.Warn().Err(err).Msg("JetStream is not ready; waiting for it")
			logged = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Restore creates the stream again after it was deleted, or lost with a NATS
// server that kept it in memory. The new one is empty and has another epoch.
func (l *Log) Restore(ctx context.Context) error {
	_, err := l.openStream(ctx)
	return err
}

// IsStreamNotFound reports whether an error says that the stream does not
// exist.
func IsStreamNotFound(err error) bool { return errors.Is(err, jetstream.ErrStreamNotFound) }

// streamAttempt is what one attempt to open the stream may take, streamRetry
// the pause before the next: a request that came before there was a leader is
// never answered.
const (
	// streamAttempt bounds one attempt to open the stream, streamRetry is the
	// pause between two. A request that was sent while there was no leader is
	// never answered, so it has to be sent again.
	streamAttempt = 1500 * time.Millisecond
	streamRetry   = 250 * time.Millisecond
)

// transient reports whether an error is one of servers that are just starting:
// no answer, no leader, or fewer servers than replicas.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code == 503 || api.ErrorCode == errCodeNoPeers)
}

// errCodeNoPeers is JetStream's "no suitable peers for placement",
// errCodeNoStorage "insufficient storage resources available".
const (
	errCodeNoPeers   = 10005
	errCodeNoStorage = 10047
)

func openError(want jetstream.StreamConfig, err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == errCodeNoPeers || api.ErrorCode == errCodeNoStorage) {
		err = fmt.Errorf("%w (the servers keep so many bytes free for it; have they that much left below their max_file_store?)", err)
	}
	return fmt.Errorf("open the stream %s (storage %s, replicas %d, %d bytes): %w", want.Name, want.Storage, want.Replicas, want.MaxBytes, err)
}

// defaultReplicas is the number of replicas when none is configured: three if
// there are as many servers, else one.
func defaultReplicas(servers int) int {
	if servers >= 3 {
		return 3
	}
	return 1
}

// clusterSize is how many servers the connection knows of: those in its URL and
// those that the cluster has announced.
func clusterSize(nc *nats.Conn) int {
	if nc.ConnectedClusterName() == "" {
		return 1
	}
	return len(nc.Servers())
}

// ConflictError says that an existing stream differs from the configuration in
// settings that cannot be changed, or not without losing events.
type ConflictError struct {
	Stream      string // name
	Differences []Difference
}

// Difference is one such setting: Setting is the field of Config, Have its
// value in the stream, Want the configured one.
type Difference struct{ Setting, Have, Want string }

func (e *ConflictError) Error() string {
	parts := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		parts[i] = fmt.Sprintf("%s is %s there and %s here", d.Setting, d.Have, d.Want)
	}
	return fmt.Sprintf("the stream %s exists and cannot be brought to the configuration without losing events: %s; use the stream's values, or change it yourself with `nats stream edit %s`",
		e.Stream, strings.Join(parts, ", "), e.Stream)
}

// conflicts returns a *ConflictError for settings that must not be changed: the
// storage type, and every limit that would become lower.
func conflicts(have, want jetstream.StreamConfig) error {
	e := ConflictError{Stream: want.Name}
	differ := func(unsafe bool, setting string, have, want any) {
		if unsafe {
			e.Differences = append(e.Differences, Difference{setting, fmt.Sprint(have), fmt.Sprint(want)})
		}
	}
	differ(have.Storage != want.Storage, "Memory", have.Storage == jetstream.MemoryStorage, want.Storage == jetstream.MemoryStorage)
	differ(have.Retention != want.Retention, "Retention", have.Retention, want.Retention)
	differ(have.Replicas > want.Replicas, "Replicas", have.Replicas, want.Replicas)
	differ(lower(want.MaxMsgsPerSubject, have.MaxMsgsPerSubject), "History", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	differ(lower(want.MaxAge, have.MaxAge), "HistoryAge", have.MaxAge, want.MaxAge)
	differ(lower(want.MaxBytes, have.MaxBytes), "HistoryBytes", have.MaxBytes, want.MaxBytes)
	if len(e.Differences) == 0 {
		return nil
	}
	return &e
}

// lower reports whether a limit is tighter than another; zero and negative mean
// no limit.
func lower[T int64 | time.Duration](limit, than T) bool {
	return limit > 0 && (than <= 0 || limit < than)
}

// epochOf derives the epoch of a log from the stream's creation time. Letters
// and digits only: it is part of ?resume=.
func epochOf(created time.Time) string {
	return strconv.FormatInt(created.UnixNano(), 36)
}

// EpochBegan is when the stream of an epoch was created; 1970 for what is none.
func EpochBegan(epoch string) time.Time {
	ns, _ := strconv.ParseInt(epoch, 36, 64)
	return time.Unix(0, ns)
}
