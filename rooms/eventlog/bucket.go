package eventlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// KeyBucket is the KV bucket of the keys that the nodes of a cluster share.
	// Whoever can read it can impersonate any user.
	KeyBucket = "roomd_keys"
	// SecretKey is the key in it with which nodes sign what they publish.
	SecretKey = "cluster-hs256"
	// KeyBytes is the length of such a key, in bytes.
	KeyBytes = 32

	// maxKeyAttempts bounds the attempts to create or read a shared key; more
	// than two are needed only if somebody deletes it in between.
	maxKeyAttempts = 5
)

// BucketConfig is the configuration of a KV bucket. Every node of a cluster
// passes the same.
type BucketConfig struct {
	Name       string
	MaxAge     time.Duration // 0: entries do not expire
	EntryTTL   bool          // an entry may have an expiry of its own (the header Nats-TTL)
	MaxEntries int64         // one more is refused; 0: no limit
	MaxBytes   int64         // a full bucket refuses new entries; 0: no limit
	Replicas   int           // 0 means 1
	Memory     bool          // keep it in memory: it is lost with the last server that has it
	// Shared: other programs open the bucket too, with settings of their own. An
	// existing one keeps its storage type and at least as many replicas.
	Shared bool
}

// OpenBucket opens a KV bucket, and creates it or updates its settings where
// needed. It retries until ctx ends while the servers are starting; several
// nodes may call it at once.
//
// It creates the stream behind the bucket itself, for two differences from what
// nats.go would create. Reads go to the leader and not to any replica, because
// one that lags a moment does not have what was just written. And rollup
// headers, which erase entries, are off.
func OpenBucket(ctx context.Context, nc *nats.Conn, c BucketConfig) (jetstream.KeyValue, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", c.Name, err)
	}
	cfg := c.stream()
	var kv jetstream.KeyValue
	err = RetryUntilReady(ctx, func(ctx context.Context) error {
		// Create first: an update that meets another node's create was seen to
		// get no answer.
		_, err := js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = c.update(ctx, js, cfg)
		}
		if err != nil {
			return fmt.Errorf("create the bucket %s: %w", c.Name, err)
		}
		if kv, err = js.KeyValue(ctx, c.Name); err != nil {
			return fmt.Errorf("open the bucket %s: %w", c.Name, err)
		}
		return nil
	})
	return kv, err
}

// update updates an existing bucket to cfg.
func (c BucketConfig) update(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) error {
	if c.Shared {
		stream, err := js.Stream(ctx, cfg.Name)
		if err != nil {
			return err
		}
		have := stream.CachedInfo().Config
		cfg.Storage, cfg.Replicas = have.Storage, max(have.Replicas, cfg.Replicas)
	}
	_, err := js.UpdateStream(ctx, cfg)
	return err
}

func (c BucketConfig) stream() jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:              "KV_" + c.Name,
		Subjects:          []string{"$KV." + c.Name + ".>"},
		MaxMsgsPerSubject: 1,
		MaxMsgs:           -1,
		MaxBytes:          cmp.Or(c.MaxBytes, -1),
		MaxConsumers:      -1,
		MaxAge:            c.MaxAge,
		Duplicates:        2 * time.Minute,
		Replicas:          max(c.Replicas, 1),
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
	}
	if c.MaxAge > 0 && c.MaxAge < cfg.Duplicates {
		cfg.Duplicates = c.MaxAge
	}
	if c.MaxEntries > 0 {
		cfg.MaxMsgs = c.MaxEntries
	}
	cfg.AllowMsgTTL = c.EntryTTL
	if c.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	return cfg
}

// Entries returns all that is in a bucket.
func Entries(ctx context.Context, kv jetstream.KeyValue) (list []jetstream.KeyValueEntry, err error) {
	watcher, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read the bucket %s: %w", kv.Bucket(), err)
	}
	defer stopWatcher(watcher)
	for {
		select {
		case entry, open := <-watcher.Updates():
			switch {
			case !open:
				return nil, fmt.Errorf("read the bucket %s: it ended after %d entries", kv.Bucket(), len(list))
			case entry == nil:
				return list, nil
			}
			list = append(list, entry)
		case <-ctx.Done():
			return nil, fmt.Errorf("read the bucket %s: %w", kv.Bucket(), ctx.Err())
		}
	}
}

// SharedKey reads a key of KeyBytes from a bucket. If there is none it stores
// offered, or a random one if that is nil; when several nodes do so at once,
// the first one wins and all return its key. since is when it was stored.
func SharedKey(ctx context.Context, kv jetstream.KeyValue, name string, offered []byte) (key []byte, since time.Time, err error) {
	if offered == nil {
		offered = make([]byte, KeyBytes)
		rand.Read(offered) // never fails
	}
	err = RetryUntilReady(ctx, func(ctx context.Context) (err error) {
		key, since, err = sharedKey(ctx, kv, name, offered)
		return err
	})
	return key, since, err
}

func sharedKey(ctx context.Context, kv jetstream.KeyValue, name string, offered []byte) ([]byte, time.Time, error) {
	for range maxKeyAttempts {
		entry, err := kv.Get(ctx, name)
		if err == nil {
			if len(entry.Value()) != KeyBytes {
				return nil, time.Time{}, fmt.Errorf("the key %s in the bucket %s has %d bytes, want %d; delete it: nats kv del %[2]s %[1]s",
					name, kv.Bucket(), len(entry.Value()), KeyBytes)
			}
			return entry.Value(), entry.Created(), nil
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil, time.Time{}, fmt.Errorf("read the key %s in the bucket %s: %w", name, kv.Bucket(), err)
		}
		if _, err := kv.Create(ctx, name, offered); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, time.Time{}, fmt.Errorf("store the key %s in the bucket %s: %w", name, kv.Bucket(), err)
		}
	}
	return nil, time.Time{}, fmt.Errorf("the key %s in the bucket %s keeps appearing and disappearing", name, kv.Bucket())
}

// Secret returns the key that the nodes of this log share; see SharedKey.
func (l *Log) Secret(ctx context.Context, offered []byte) (key []byte, since time.Time, err error) {
	kv, err := OpenBucket(ctx, l.nc, BucketConfig{Name: KeyBucket, Replicas: l.Replicas(), Memory: l.cfg.Memory, Shared: true})
	if err != nil {
		return nil, time.Time{}, err
	}
	return SharedKey(ctx, kv, SecretKey, offered)
}

// HasSecret reports whether NATS still has that key.
func (l *Log) HasSecret(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	js, err := jetstream.New(l.nc)
	if err != nil {
		return false, err
	}
	kv, err := js.KeyValue(ctx, KeyBucket)
	if err == nil {
		_, err = kv.Get(ctx, SecretKey)
	}
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

const (
	// attemptTimeout bounds one attempt of RetryUntilReady, attemptPause is the
	// pause between two.
	attemptTimeout = 1500 * time.Millisecond
	attemptPause   = 200 * time.Millisecond
)

// RetryUntilReady calls fn until it succeeds or ctx ends, as long as its error
// is one of servers that are starting, or of a bucket that another node is just
// creating. Each attempt gets a context of its own: a request that is sent
// while there is no leader is never answered. Any other error is returned at
// once.
func RetryUntilReady(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := fn(attempt)
		cancel()
		if err == nil || !transient(err) && !errors.Is(err, jetstream.ErrNoStreamResponse) &&
			!errors.Is(err, jetstream.ErrBucketNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		select {
		case <-time.After(attemptPause):
		case <-ctx.Done():
			return err
		}
	}
}
