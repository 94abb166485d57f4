package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// resyncInterval is how often a bucket is read again from its beginning,
	// even if the watch seems fine; watchRetry is the pause after a failure.
	resyncInterval = 2 * time.Minute
	watchRetry     = time.Second
)

// BucketWatch follows a KV bucket. Its functions are called on the goroutine of
// Follow.
type BucketWatch struct {
	Open    func(context.Context) (jetstream.KeyValue, error) // see OpenBucket
	Reset   func()                                            // all entries follow, from the beginning
	Entry   func(jetstream.KeyValueEntry)
	Synced  func()          // every entry that was in it has been passed to Entry
	OnError func(error)     // following failed; called once for all failures in a row
	Resync  <-chan struct{} // receives requests to read it again from the beginning; may be nil
}

// Follow reads a bucket and then every change of it, until ctx ends. It starts
// from the beginning every resyncInterval, and after a reconnect: what was
// missed must be known at once, and not only when the watch notices.
func (w BucketWatch) Follow(ctx context.Context, nc *nats.Conn) {
	reconnected := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(reconnected)
	for reported := false; ctx.Err() == nil; {
		err := w.once(ctx, reconnected)
		if err != nil && ctx.Err() == nil && !reported {
			w.OnError(err)
		}
		reported = err != nil
		if err == nil {
			continue
		}
		select {
		case <-time.After(watchRetry):
		case <-ctx.Done():
		}
	}
}

// once reads the bucket and follows it for resyncInterval at most.
func (w BucketWatch) once(ctx context.Context, reconnected <-chan nats.Status) error {
	ctx, cancel := context.WithTimeout(ctx, resyncInterval)
	defer cancel()
	kv, err := w.Open(ctx)
	if err != nil {
		return err
	}
	watcher, err := kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch the bucket %s: %w", kv.Bucket(), err)
	}
	defer stopWatcher(watcher)
	w.Reset()
	for {
		select {
		case entry, open := <-watcher.Updates():
			switch {
			case !open && ctx.Err() == nil:
				return fmt.Errorf("the watch of the bucket %s has ended", kv.Bucket())
			case !open:
				return nil
			case entry == nil:
				w.Synced()
			default:
				w.Entry(entry)
			}
		case <-reconnected:
			return nil
		case <-w.Resync:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// stopWatcher stops a watch and drains its channel, in which nats.go would else
// block for ever.
func stopWatcher(w jetstream.KeyWatcher) {
	_ = w.Stop() // fails only when it has ended
	timeout := time.After(watchRetry)
	for {
		select {
		case _, open := <-w.Updates():
			if !open {
				return
			}
		case <-timeout:
			return
		}
	}
}
