package rooms

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Which users exist: a private message is refused unless its receiver was here
// before, so that nobody can fill the log of the inboxes with messages to users
// who do not exist. There are two KV buckets, so that guests, of whom anybody can
// create thousands, take no space from users.
const (
	// UserMemory is how long a user is known after the last visit.
	UserMemory = 30 * 24 * time.Hour

	userBucket  = "roomd_users"
	guestBucket = "roomd_guests"
	// userBytes and guestBytes bound the buckets; an entry takes about 100
	// bytes. A full one takes no new users: then a message to somebody who is
	// not in it is refused as unavailable instead of unknown, unless connected.
	userBytes  = 64 << 20
	guestBytes = 32 << 20

	// userRenew is the least time after which a user who is here is written
	// again; it happens within twice that.
	userRenew = 24 * time.Hour
	// usersKept and guestsKept are half of how many users, and guests, this
	// node remembers to have written: 840,000 and 420,000, more than the
	// buckets hold of usual uids, in some 30 MB. A user who was forgotten is
	// written again, at most userWrites a second.
	usersKept  = 420_000
	guestsKept = usersKept / 2
	// foundKept is half of how many users it remembers to have looked up; any
	// other is looked up again.
	foundKept = 1 << 14
	// userQueue is how many users may be queued for writing; one more is written
	// at the next sign of life. userWrites is how many are written per second,
	// so that a reconnect storm does not become a storm of writes.
	userQueue  = 1 << 14
	userWrites = 500
	// userLookups is how many users are looked up at once; further lookups wait,
	// and fail with busy when their ctx ends.
	userLookups = 16
)

// users is what a node knows of which users exist.
type users struct {
	eng   *Engine
	queue chan string   // to be written
	slots chan struct{} // semaphore: one per lookup
	known memo          // found by a lookup

	users, guests bucket
}

// bucket is one of the two KV buckets.
type bucket struct {
	cfg       eventlog.BucketConfig
	kv        atomic.Pointer[jetstream.KeyValue]
	written   memo        // written to it by this node
	restoring atomic.Bool // it was lost and is being created again
}

func (u *users) open(ctx context.Context, e *Engine) error {
	u.eng, u.queue, u.slots = e, make(chan string, userQueue), make(chan struct{}, userLookups)
	u.known.maxSize, u.users.written.maxSize, u.guests.written.maxSize = foundKept, usersKept, guestsKept
	for b, cfg := range map[*bucket]eventlog.BucketConfig{
		&u.users:  {Name: userBucket, MaxBytes: userBytes},
		&u.guests: {Name: guestBucket, MaxBytes: guestBytes},
	} {
		cfg.MaxAge, cfg.Replicas, cfg.Memory = UserMemory, e.Replicas(), e.cfg.Memory
		if bytes := e.cfg.tuning.userBytes; bytes != 0 {
			cfg.MaxBytes = bytes
		}
		b.cfg = cfg
		if err := b.open(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) open(ctx context.Context, e *Engine) error {
	kv, err := eventlog.OpenBucket(ctx, e.nc, b.cfg)
	if err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	b.kv.Store(&kv)
	return nil
}

func (u *users) bucketOf(uid string) *bucket {
	if wire.IsGuest(uid) {
		return &u.guests
	}
	return &u.users
}

// MarkUserSeen records that a user is here, so that private messages may be
// sent to the user for UserMemory from now on. It never blocks; for a user whom
// this node has recorded within a day it is a map lookup. Any goroutine may
// call it.
func (e *Engine) MarkUserSeen(uid string) {
	u := &e.users
	written := &u.bucketOf(uid).written
	if !written.add(uid, time.Now()) {
		return
	}
	select {
	case u.queue <- uid:
	default:
		written.remove(uid)
		e.stats.UsersUnwritten.Add(1)
	}
}

// writeLoop writes the queued users, until ctx ends.
func (u *users) writeLoop(ctx context.Context) {
	pace := rate.NewLimiter(userWrites, userWrites/10)
	for {
		select {
		case uid := <-u.queue:
			if pace.Wait(ctx) == nil {
				u.write(ctx, uid)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (u *users) write(ctx context.Context, uid string) {
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	b := u.bucketOf(uid)
	_, err := (*b.kv.Load()).Put(ctx, wire.RoomKey(uid), nil)
	if err == nil {
		u.eng.stats.UsersWritten.Add(1)
		return
	}
	b.written.remove(uid) // to be written at the next sign of life
	u.eng.stats.UsersUnwritten.Add(1)
	if !u.eng.closed() {
		u.eng.cfg.Log.Debug().Err(err).Str("bucket", b.cfg.Name).Str("uid", uid).Msg("a user could not be noted; trying again while he is here")
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		u.restore(b)
	}
}

// UserKnownHere reports whether this node knows, without asking anybody, that
// a user was here within UserMemory.
func (e *Engine) UserKnownHere(uid string) bool {
	now := time.Now()
	return e.users.known.has(uid, now) || e.users.bucketOf(uid).written.has(uid, now) || e.handleOf(wire.Inbox(uid)) != nil
}

// LookupUser returns nil if a user was here within UserMemory, or is here on
// any node. Its errors are *wire.Error: bad_payload for an unknown user,
// unavailable if that cannot be determined, busy if ctx ends while too many
// lookups are running. The uid must be valid (wire.ValidUID).
func (e *Engine) LookupUser(ctx context.Context, uid string) error {
	if e.UserKnownHere(uid) {
		return nil
	}
	u := &e.users
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return wire.Errorf(wire.Busy, "too many users are being looked up; try again in a moment")
	}
	e.stats.UsersLookedUp.Add(1)
	found, err := u.find(ctx, uid)
	switch {
	case err != nil:
		e.cfg.Log.Warn().Err(err).Str("uid", uid).Msg("a user could not be looked up; who writes to him is told to try again")
		return wire.Errorf(wire.Unavailable, "it cannot be said now whether there is a user %q; try again", uid)
	case !found:
		e.stats.UsersUnknown.Add(1)
		return wire.Errorf(wire.BadPayload, "nobody with the uid %q has been here in %d days", uid, UserMemory/(24*time.Hour))
	}
	u.known.add(uid, time.Now())
	return nil
}

// find reads the bucket, and asks the other nodes if the user is not in it: a
// new one may not have been written yet.
func (u *users) find(ctx context.Context, uid string) (bool, error) {
	b := u.bucketOf(uid)
	within, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	_, err := (*b.kv.Load()).Get(within, wire.RoomKey(uid))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		u.restore(b)
	}
	if err == nil || !errors.Is(err, jetstream.ErrKeyNotFound) {
		return err == nil, err
	}
	if !u.eng.peers.none() {
		if _, here, err := u.eng.Room(ctx, wire.Inbox(uid)); here || err != nil {
			return here, err
		}
	}
	return false, b.checkNotFull(within)
}

// entryBytes is more than an entry takes.
const entryBytes = 1 << 10

// checkNotFull returns an error if the bucket may have had no space for a user
// who was here.
func (b *bucket) checkNotFull(ctx context.Context) error {
	status, err := (*b.kv.Load()).Status(ctx)
	if err != nil {
		return fmt.Errorf("ask how full the bucket %s is: %w", b.cfg.Name, err)
	}
	if status.Bytes()+entryBytes > uint64(b.cfg.MaxBytes) {
		return fmt.Errorf("the bucket %s is full with %d users: who is not in it may have been here", b.cfg.Name, status.Values())
	}
	return nil
}

// restore creates a bucket again that was deleted, or lost with a NATS server
// that kept it in memory. Users who are here are then written again.
func (u *users) restore(b *bucket) {
	if b.restoring.Swap(true) {
		return
	}
	u.eng.background(func(ctx context.Context) {
		defer b.restoring.Store(false)
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		err := b.open(ctx, u.eng)
		b.written.clear()
		u.known.clear()
		if !u.eng.closed() {
			u.eng.cfg.Log.Warn().AnErr("restoring", err).Str("bucket", b.cfg.Name).Msg("the list of users who were here did not answer: it is made anew if it is gone")
		}
	})
}

// memo remembers users for one to two times userRenew: at least the last
// maxSize, at most twice as many. It holds only hashes of uids, with a random
// seed: among a million users no two are mistaken for each other, and nobody
// can bring that about.
type memo struct {
	maxSize int // fixed before it is used

	mu                sync.Mutex
	current, previous map[uint64]struct{}
	rotatedAt         time.Time
}

var memoSeed = maphash.MakeSeed()

func memoKey(uid string) uint64 { return maphash.String(memoSeed, uid) }

// add adds a user and reports whether it was not there.
func (m *memo) add(uid string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := memoKey(uid)
	if m.holds(key, now) {
		return false
	}
	if len(m.current) >= m.maxSize {
		m.rotate(now)
	}
	m.current[key] = struct{}{}
	return true
}

func (m *memo) has(uid string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holds(memoKey(uid), now)
}

// holds reports whether a hash is there. The caller holds mu.
func (m *memo) holds(key uint64, now time.Time) bool {
	if age := now.Sub(m.rotatedAt); age > userRenew {
		if age > 2*userRenew {
			m.current = nil
		}
		m.rotate(now)
	}
	_, inCurrent := m.current[key]
	_, inPrevious := m.previous[key]
	return inCurrent || inPrevious
}

// rotate starts a new generation. The caller holds mu.
func (m *memo) rotate(now time.Time) {
	m.current, m.previous, m.rotatedAt = make(map[uint64]struct{}), m.current, now
}

func (m *memo) remove(uid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := memoKey(uid)
	delete(m.current, key)
	delete(m.previous, key)
}

func (m *memo) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current, m.previous = make(map[uint64]struct{}), nil
}
