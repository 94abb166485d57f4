package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const (
	// RevocationBucket is the KV bucket of the revocations.
	RevocationBucket = "roomd_ended"
	// MaxRevocation is the longest time that a revocation may last: the
	// lifetime of a guest's token.
	MaxRevocation = auth.GuestTokenTTL
	// DefaultRevocation is how long one lasts by default: long enough for
	// tickets that were issued before to expire (after 30 s).
	DefaultRevocation = time.Minute
	// MaxRevocations is how many users may be in the bucket; one more is
	// ErrTooManyRevocations. A node holds some 150 bytes for each.
	MaxRevocations = 100_000

	tooManyMessages jetstream.ErrorCode = 10077 // of the server, if a stream that discards new messages is full
)

// ErrTooManyRevocations says that there are MaxRevocations already.
var ErrTooManyRevocations = fmt.Errorf("auth/store: the sessions of %d users are ended already; end them for a shorter time", MaxRevocations)

// Revocations are the users whose sessions were ended: for a time, credentials
// that were issued to them before are refused on every node of the cluster.
// Each node holds the whole list and watches the bucket; while NATS is
// unreachable, it uses what it has. Its methods may be called from any
// goroutine.
type Revocations struct {
	// fixed
	nc   *nats.Conn
	js   jetstream.JetStream
	open func(context.Context) (jetstream.KeyValue, error)
	log  zerolog.Logger
	stop context.CancelFunc
	done chan struct{} // closed when the watch has ended

	onRevoke atomic.Pointer[func(uid string)]

	mu     sync.RWMutex
	byUser map[string]revocation
}

// revocation is that of one user, as stored in the bucket.
type revocation struct {
	UID   string `json:"uid"`
	At    int64  `json:"ended_at"` // ms since 1970: credentials issued before are refused
	Until int64  `json:"until"`    // ms since 1970; in the past: lifted
}

// NewRevocations opens the bucket, creates it if needed, and returns when
// everything in it has been read; ctx bounds that. opts may be nil. The caller
// calls Close before it closes nc.
func NewRevocations(ctx context.Context, nc *nats.Conn, opts *Options, log zerolog.Logger) (*Revocations, error) {
	if opts == nil {
		opts = &Options{}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("auth/store: open the bucket %s: %w", RevocationBucket, err)
	}
	e := &Revocations{nc: nc, js: js, log: log, done: make(chan struct{}), byUser: make(map[string]revocation)}
	e.open = func(ctx context.Context) (jetstream.KeyValue, error) {
		return opts.open(ctx, nc, eventlog.BucketConfig{Name: RevocationBucket, MaxAge: MaxRevocation, EntryTTL: true, MaxEntries: MaxRevocations})
	}
	watching, stop := context.WithCancel(context.Background())
	e.stop = stop
	known := make(chan struct{})
	go e.watch(watching, known)
	select {
	case <-known:
		return e, nil
	case <-ctx.Done():
		e.Close()
		return nil, fmt.Errorf("auth/store: read the bucket %s: %w", RevocationBucket, ctx.Err())
	}
}

// Close stops the watch, and waits until it has stopped.
func (e *Revocations) Close() {
	e.stop()
	<-e.done
}

// OnRevoke sets a function that is called with the uid of every user whose
// credentials are revoked, on any node, including those in the list already: to
// close who connected at that moment, or while this node had no connection to
// NATS. fn must not block, and may be called more than once for the same
// revocation.
func (e *Revocations) OnRevoke(fn func(uid string)) {
	e.onRevoke.Store(&fn)
	e.mu.RLock()
	defer e.mu.RUnlock()
	for uid := range e.byUser {
		fn(uid)
	}
}

// Revoke refuses, from now on and for at most MaxRevocation, credentials that
// were issued to the user up to now; an earlier revocation that lasts longer is
// not shortened. 0 lifts it. When it returns without an error every node that
// is connected to NATS knows it, or will in a moment. Its errors are
// ErrTooManyRevocations, an *auth.Error of auth.ErrUnavailable, and one for an
// invalid uid or time.
func (e *Revocations) Revoke(ctx context.Context, uid string, lasts time.Duration) error {
	if !wire.ValidUID(uid) || lasts < 0 || lasts > MaxRevocation {
		return fmt.Errorf("auth/store: end the sessions of %q for %s: the uid is none, or the time is not between 0 and %s", uid, lasts, MaxRevocation)
	}
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	now := time.Now()
	at := now.Add(time.Millisecond - 1).UnixMilli() // rounded up, as the times in credentials are truncated
	x := revocation{UID: uid, At: at, Until: now.Add(lasts).UnixMilli()}
	e.mu.RLock()
	if lasts > 0 {
		x.Until = max(x.Until, e.byUser[uid].Until)
	}
	e.mu.RUnlock()
	value, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("auth/store: encode the end of sessions: %w", err)
	}
	ttl := max(time.Second, time.UnixMilli(x.Until).Sub(now).Round(time.Second)+time.Second)
	_, err = e.js.Publish(ctx, "$KV."+RevocationBucket+"."+wire.RoomKey(uid), value, jetstream.WithMsgTTL(ttl))
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == tooManyMessages:
		return ErrTooManyRevocations
	case err != nil:
		return auth.Unavailable("store the end of a user's sessions", err)
	}
	e.apply(x)
	return nil
}

// Revoked reports whether the credential that id came from was issued before
// its user's sessions were ended, or does not say when it was issued.
func (e *Revocations) Revoked(id auth.Identity) bool {
	e.mu.RLock()
	x, found := e.byUser[id.UID]
	e.mu.RUnlock()
	return found && x.active(time.Now()) && id.IssuedAt.UnixMilli() < x.At
}

func (x revocation) active(now time.Time) bool { return now.UnixMilli() < x.Until }

// apply adds or removes a revocation that was read from the bucket.
func (e *Revocations) apply(x revocation) {
	now := time.Now()
	e.mu.Lock()
	news := e.byUser[x.UID] != x && x.active(now)
	if x.active(now) {
		e.byUser[x.UID] = x
	} else {
		delete(e.byUser, x.UID)
	}
	e.mu.Unlock()
	if fn := e.onRevoke.Load(); fn != nil && news {
		(*fn)(x.UID)
	}
}

// expire removes those whose time is over.
func (e *Revocations) expire() {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for uid, x := range e.byUser {
		if !x.active(now) {
			delete(e.byUser, uid)
		}
	}
}

// watch watches the bucket until ctx ends. known is closed when everything in
// it has been read once.
func (e *Revocations) watch(ctx context.Context, known chan<- struct{}) {
	defer close(e.done)
	var once sync.Once
	eventlog.BucketWatch{
		Open:   e.open,
		Reset:  e.expire,
		Entry:  e.read,
		Synced: func() { once.Do(func() { close(known) }) },
		OnError: func(err error) {
			e.log.Warn().Err(err).Msg("whose sessions were ended cannot be followed; what was known last holds, and it is tried again")
		},
	}.Follow(ctx, e.nc)
}

func (e *Revocations) read(entry jetstream.KeyValueEntry) {
	if entry.Operation() != jetstream.KeyValuePut {
		return // deleted by hand; the revocation stays until its time is over
	}
	var x revocation
	if err := json.Unmarshal(entry.Value(), &x); err != nil || wire.RoomKey(x.UID) != entry.Key() {
		e.log.Warn().Str("key", entry.Key()).Msg("an entry of the bucket " + RevocationBucket + " is none and was passed over; who writes there?")
		return
	}
	e.apply(x)
}
