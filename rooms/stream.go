package rooms

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// StreamName is the stream that is every room's log.
const StreamName = "ROOMS"

// streamConfig has every header-driven feature off (rollup, message TTL,
// schedules, counters, atomic publish), because any publisher may set headers
// and with rollup on one header would wipe a room's log.
func streamConfig(c Config) jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if c.Memory {
		storage = jetstream.MemoryStorage
	}
	return jetstream.StreamConfig{
		Name:              StreamName,
		Description:       "the log of every room",
		Subjects:          []string{wire.AllEvents},
		Retention:         jetstream.LimitsPolicy,
		Storage:           storage,
		Replicas:          c.Replicas,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: c.History,
		MaxAge:            c.HistoryAge,
		MaxBytes:          c.HistoryBytes,
		MaxMsgSize:        MaxEventBytes,
		Duplicates:        dedupWindow,
		AllowDirect:       true,
		DenyDelete:        true,
		DenyPurge:         true,
		RePublish:         &jetstream.RePublish{Source: wire.AllEvents, Destination: wire.LogMapping},
	}
}

// openStream creates the stream, or brings the limits of an existing one to
// what the configuration says.
func openStream(ctx context.Context, js jetstream.JetStream, c Config) (jetstream.Stream, error) {
	want := streamConfig(c)
	stream, err := js.CreateStream(ctx, want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		stream, err = js.UpdateStream(ctx, want)
	}
	if err != nil {
		return nil, fmt.Errorf("rooms: open the stream %s (storage %s, replicas %d, %d bytes): %w", StreamName, want.Storage, want.Replicas, want.MaxBytes, err)
	}
	return stream, nil
}

// epochOf names the life of a log by the stream's creation time. Letters and
// digits only: it is part of ?resume=.
func epochOf(created time.Time) string {
	return strconv.FormatInt(created.UnixNano(), 36)
}
