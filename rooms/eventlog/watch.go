package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// rewatch is how often a bucket is read anew, whatever has happened to the
	// watch; rewatchPause what is between two tries.
	rewatch      = 2 * time.Minute
	rewatchPause = time.Second
)

// BucketWatch says who follows a bucket. Its functions run on the goroutine of
// Follow.
type BucketWatch struct {
	Open    func(context.Context) (jetstream.KeyValue, error) // see OpenBucket
	Begin   func()                                            // the bucket is read anew, from its beginning
	Entry   func(jetstream.KeyValueEntry)
	Known   func()          // everything that was in it has been read
	Trouble func(error)     // it cannot be followed; called once for all tries that fail in a row
	Again   <-chan struct{} // asks for it to be read anew; nil: nobody does
}

// Follow reads a bucket and everything that comes into it, until ctx ends. It
// begins anew now and then, and when the connection is back after it was lost:
// what was missed must be known at once, and not when the watch notices.
func (w BucketWatch) Follow(ctx context.Context, nc *nats.Conn) {
	back := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(back)
	for told := false; ctx.Err() == nil; {
		err := w.once(ctx, back)
		if err != nil && ctx.Err() == nil && !told {
			w.Trouble(err)
		}
		told = err != nil
		if err == nil {
			continue
		}
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}

// once reads the bucket and follows it for a while.
func (w BucketWatch) once(ctx context.Context, back <-chan nats.Status) error {
	ctx, cancel := context.WithTimeout(ctx, rewatch)
	defer cancel()
	kv, err := w.Open(ctx)
	if err != nil {
		return err
	}
	watcher, err := kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch the bucket %s: %w", kv.Bucket(), err)
	}
	defer discard(watcher)
	w.Begin()
	for {
		select {
		case entry, open := <-watcher.Updates():
			switch {
			case !open && ctx.Err() == nil:
				return fmt.Errorf("the watch of the bucket %s has ended", kv.Bucket())
			case !open:
				return nil
			case entry == nil:
				w.Known()
			default:
				w.Entry(entry)
			}
		case <-back:
			return nil
		case <-w.Again:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// discard ends a watch. The one who fills its channel may stand there, and
// would do so for ever.
func discard(w jetstream.KeyWatcher) {
	_ = w.Stop() // fails only when it has ended
	timeout := time.After(rewatchPause)
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
