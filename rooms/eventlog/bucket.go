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
	// KeyBucket is the KV bucket of the keys that the nodes of a cluster share:
	// who may read it can speak as anybody.
	KeyBucket = "roomd_keys"
	// SecretKey is the one in it by which nodes know what nodes have published.
	SecretKey = "cluster-hs256"
	// KeyBytes is the length of such a key.
	KeyBytes = 32

	// maxKeyAttempts bounds the tries to create or read a shared key; more than
	// two happen only if someone deletes it meanwhile.
	maxKeyAttempts = 5
)

// BucketConfig says how NATS keeps a bucket. Every node of a cluster gives the
// same.
type BucketConfig struct {
	Name     string
	MaxAge   time.Duration // 0: entries are kept for ever
	EntryTTL bool          // an entry may say how long it is kept (the header Nats-TTL)
	Most     int64         // entries; one more is refused; 0: no bound
	MaxBytes int64         // a full bucket takes no new entry; 0: no bound
	Replicas int           // 0: 1
	Memory   bool          // in memory, lost with the server (or, replicated, with the last of them)
	// Shared: with who may ask for something else. One that exists stays in
	// memory or on disk as it is, and on no fewer servers.
	Shared bool
}

// OpenBucket opens a KV bucket and creates it, or changes its replicas, where
// needed; several nodes may do so at once, also on servers that are just
// starting, until ctx ends.
//
// It makes the stream behind the bucket itself, for two differences from what
// the client library would make. Reads are answered by the leader, not by any
// replica: one that is a moment behind would know nothing of what was just
// written. And headers that erase (rollup) are off.
func OpenBucket(ctx context.Context, nc *nats.Conn, c BucketConfig) (jetstream.KeyValue, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", c.Name, err)
	}
	cfg := c.stream()
	var kv jetstream.KeyValue
	err = Patiently(ctx, func(ctx context.Context) error {
		// Create first: updates that run into another node's create were seen
		// to stay without an answer.
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

// update brings a bucket that exists to cfg.
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
	if c.Most > 0 {
		cfg.MaxMsgs = c.Most
	}
	cfg.AllowMsgTTL = c.EntryTTL
	if c.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	return cfg
}

// SharedKey reads a key of KeyBytes from a bucket; when there is none, offered
// becomes it, or a new one if that is nil. Of nodes that do so together the
// first one's wins. since is when it was stored.
func SharedKey(ctx context.Context, kv jetstream.KeyValue, name string, offered []byte) (key []byte, since time.Time, err error) {
	if offered == nil {
		offered = make([]byte, KeyBytes)
		rand.Read(offered) // never fails
	}
	err = Patiently(ctx, func(ctx context.Context) (err error) {
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

// Secret is the key that the nodes of this log share; see SharedKey.
func (l *Log) Secret(ctx context.Context, offered []byte) (key []byte, since time.Time, err error) {
	kv, err := OpenBucket(ctx, l.nc, BucketConfig{Name: KeyBucket, Replicas: l.Replicas(), Memory: l.cfg.Memory, Shared: true})
	if err != nil {
		return nil, time.Time{}, err
	}
	return SharedKey(ctx, kv, SecretKey, offered)
}

// attemptTimeout is what one attempt of Patiently may take, attemptPause what
// is between two.
const (
	attemptTimeout = 1500 * time.Millisecond
	attemptPause   = 200 * time.Millisecond
)

// Patiently calls fn until it succeeds, as long as its error is that of servers
// that are starting, or of a bucket that another node is making at this moment,
// and until ctx ends. A request that is sent while there is no leader is never
// answered.
func Patiently(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := fn(attempt)
		cancel()
		if err == nil || !passing(err) && !errors.Is(err, jetstream.ErrNoStreamResponse) &&
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
