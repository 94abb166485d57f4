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

// Which users there are: private messages go only to who was here, so that
// nobody fills the log of the inboxes with letters to nobody. It is kept in two
// buckets, so that guests, of whom anybody can be thousands, take no place from
// users.
const (
	// UserMemory is how long a user who does not come back is known.
	UserMemory = 30 * 24 * time.Hour

	userBucket  = "roomd_users"
	guestBucket = "roomd_guests"
	// userBytes and guestBytes bound the buckets; an entry takes some 100
	// bytes. A full one takes nobody who is new: who is not in it is then not
	// refused as unknown but as unavailable, unless connected.
	userBytes  = 64 << 20
	guestBytes = 32 << 20

	// userRenew is after which time, at least, a user who is here is written
	// again; twice that at most.
	userRenew = 24 * time.Hour
	// usersKept and guestsKept are half of how many users, and guests, this
	// node remembers that it has written: 840,000 and 420,000, more than the
	// buckets hold of usual uids, in some 30 MB. Of more in a day, those who
	// are not remembered are written again, userWrites a second at most.
	usersKept  = 420_000
	guestsKept = usersKept / 2
	// foundKept is half of how many it remembers that it has looked up; who is
	// not among them is looked up once more.
	foundKept = 1 << 14
	// userQueue is how many users may wait to be written; one more is noted
	// when he shows the next sign of life. userWrites is how many are written
	// per second: a storm of connections is not to pay for it.
	userQueue  = 1 << 14
	userWrites = 500
	// userLookups is how many users are looked up at once; more wait, and are
	// answered busy when their time is over.
	userLookups = 16
)

// users is what a node knows of who was here.
type users struct {
	eng   *Engine
	queue chan string   // to be written
	slots chan struct{} // one per user that is being looked up
	known memo          // were found elsewhere

	users, guests bucket
}

// bucket is one of the two.
type bucket struct {
	cfg       eventlog.BucketConfig
	kv        atomic.Pointer[jetstream.KeyValue]
	written   memo        // were noted in it by this node
	restoring atomic.Bool // somebody has lost it, and it is being made again
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

// Saw notes that a user is here, so that private messages may be sent to him
// for UserMemory from now on. It never blocks; a user who was noted by this
// node within a day costs a look into a map.
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

// writeLoop writes down who was seen, until ctx ends.
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
	b.written.remove(uid) // until the next sign of life
	u.eng.stats.UsersUnwritten.Add(1)
	if !u.eng.closed() {
		u.eng.cfg.Log.Debug().Err(err).Str("bucket", b.cfg.Name).Str("uid", uid).Msg("a user could not be noted; trying again while he is here")
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		u.restore(b)
	}
}

// Knows reports whether this node knows, without asking anybody, that a user
// was here within UserMemory.
func (e *Engine) UserKnown(uid string) bool {
	now := time.Now()
	return e.users.known.has(uid, now) || e.users.bucketOf(uid).written.has(uid, now) || e.handleOf(wire.Inbox(uid)) != nil
}

// Known looks whether a user was here within UserMemory, or is here on any
// node. Nobody is bad_payload; unavailable is that it cannot be said. It waits
// until ctx ends at most. The uid must be valid (wire.ValidUID).
func (e *Engine) LookupUser(ctx context.Context, uid string) error {
	if e.UserKnown(uid) {
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

// find looks into the bucket, and asks the other nodes when the user is not in
// it: one who has just come may not have been written yet.
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
		if _, here, err := u.eng.FindRoom(ctx, wire.Inbox(uid)); here || err != nil {
			return here, err
		}
	}
	return false, b.checkNotFull(within)
}

// entryBytes is more than an entry takes.
const entryBytes = 1 << 10

// checkNotFull fails when somebody who was here may not have found a place.
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

// restore makes a bucket again that somebody, or a NATS server that kept it in
// memory, has lost. Who is here is written again.
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

// memo remembers users, the last most at least and twice as many at most, for
// one to two times userRenew. It holds no uid, only what one hashes to: of a
// million users no two are taken for one, and nobody can choose who is.
type memo struct {
	maxSize int // fixed before it is used

	mu                sync.Mutex
	current, previous map[uint64]struct{}
	rotatedAt         time.Time
}

var memoSeed = maphash.MakeSeed()

func memoKey(uid string) uint64 { return maphash.String(memoSeed, uid) }

// add reports whether the user was not there.
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

// holds needs mu.
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

// turn needs mu.
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
