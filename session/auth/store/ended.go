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
	// EndedBucket is the KV bucket of the users whose sessions were ended for a time.
	EndedBucket = "roomd_ended"
	// MaxEndFor is the longest time for which credentials from before stay refused: as long as a guest's token lives.
	MaxEndFor = auth.GuestTokenTTL
	// DefaultEndFor is that time when the caller names none: long enough for what was under way (a ticket lives 30 s) to come to
	// nothing.
	DefaultEndFor = time.Minute
	// MaxEnded is how many users may be in the bucket; one more is ErrTooManyEnded. A node holds some 150 bytes for each.
	MaxEnded = 100_000

	tooManyMessages jetstream.ErrorCode = 10077 // the server's, of a stream that discards new messages
)

// ErrTooManyEnded says that the sessions of MaxEnded users are ended already.
var ErrTooManyEnded = fmt.Errorf("auth/store: the sessions of %d users are ended already; end them for a shorter time", MaxEnded)

// Ended is the users whose sessions were ended: what was issued to them before that is refused, on every node of the cluster, until
// the time is over. Each node holds the whole list and follows the bucket; while NATS is out of reach, what it knew last holds. Its
// methods may be called from any goroutine.
type Ended struct {
	// fixed
	nc   *nats.Conn
	js   jetstream.JetStream
	open func(context.Context) (jetstream.KeyValue, error)
	log  zerolog.Logger
	stop context.CancelFunc
	done chan struct{} // closed when the watch has ended

	onEnd atomic.Pointer[func(uid string)]

	mu     sync.RWMutex
	byUser map[string]ended
}

// ended is what is known of one user.
type ended struct {
	UID   string `json:"uid"`
	At    int64  `json:"ended_at"` // ms since 1970: what was issued before is refused
	Until int64  `json:"until"`    // ms since 1970; in the past: not any more
}

// NewEnded opens the bucket, creates it if need be, and returns when everything in it is known. opts may be nil. The caller ends it
// with Close, before it closes nc.
func NewEnded(ctx context.Context, nc *nats.Conn, opts *Options, log zerolog.Logger) (*Ended, error) {
	if opts == nil {
		opts = &Options{}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("auth/store: open the bucket %s: %w", EndedBucket, err)
	}
	e := &Ended{nc: nc, js: js, log: log, done: make(chan struct{}), byUser: make(map[string]ended)}
	e.open = func(ctx context.Context) (jetstream.KeyValue, error) {
		return opts.open(ctx, nc, eventlog.BucketConfig{Name: EndedBucket, MaxAge: MaxEndFor, EntryTTL: true, MaxEntries: MaxEnded})
	}
	watching, stop := context.WithCancel(context.Background())
	e.stop = stop
	known := make(chan struct{})
	go e.follow(watching, known)
	select {
	case <-known:
		return e, nil
	case <-ctx.Done():
		e.Close()
		return nil, fmt.Errorf("auth/store: read the bucket %s: %w", EndedBucket, ctx.Err())
	}
}

// Close ends the watch and waits for it.
func (e *Ended) Close() {
	e.stop()
	<-e.done
}

// OnEnd sets what is called for every user whose sessions are ended, by whatever node, also for those known already: who connected
// at that moment, or while this node was cut off from NATS, is to be closed. fn must not block, and is called again for who is known.
func (e *Ended) OnEnd(fn func(uid string)) {
	e.onEnd.Store(&fn)
	e.mu.RLock()
	defer e.mu.RUnlock()
	for uid := range e.byUser {
		fn(uid)
	}
}

// End refuses what was issued to the user up to now, for a time from now on of at most MaxEndFor; a longer time of an earlier call
// stays. With 0 it lifts what earlier calls set. When it returns without an error every node that reaches NATS knows, or does so in
// a moment. Its errors are ErrTooManyEnded and *auth.Error of auth.ErrUnavailable.
func (e *Ended) End(ctx context.Context, uid string, lasts time.Duration) error {
	if !wire.ValidUID(uid) || lasts < 0 || lasts > MaxEndFor {
		return fmt.Errorf("auth/store: end the sessions of %q for %s: the uid is none, or the time is not between 0 and %s", uid, lasts, MaxEndFor)
	}
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	now := time.Now()
	at := now.Add(time.Millisecond - 1).UnixMilli() // rounded up, as the times in credentials are cut off
	x := ended{UID: uid, At: at, Until: now.Add(lasts).UnixMilli()}
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
	_, err = e.js.Publish(ctx, "$KV."+EndedBucket+"."+wire.RoomKey(uid), value, jetstream.WithMsgTTL(ttl))
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == tooManyMessages:
		return ErrTooManyEnded
	case err != nil:
		return auth.Unavailable("store the end of a user's sessions", err)
	}
	e.apply(x)
	return nil
}

// Refuses reports whether the credential behind id was issued before its user's sessions were ended, or does not say when.
func (e *Ended) Refuses(id auth.Identity) bool {
	e.mu.RLock()
	x, found := e.byUser[id.UID]
	e.mu.RUnlock()
	return found && x.holds(time.Now()) && id.IssuedAt.UnixMilli() < x.At
}

func (x ended) holds(now time.Time) bool { return now.UnixMilli() < x.Until }

// apply takes over what the bucket says of a user.
func (e *Ended) apply(x ended) {
	now := time.Now()
	e.mu.Lock()
	news := e.byUser[x.UID] != x && x.holds(now)
	if x.holds(now) {
		e.byUser[x.UID] = x
	} else {
		delete(e.byUser, x.UID)
	}
	e.mu.Unlock()
	if fn := e.onEnd.Load(); fn != nil && news {
		(*fn)(x.UID)
	}
}

// forget drops those whose time is over.
func (e *Ended) forget() {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for uid, x := range e.byUser {
		if !x.holds(now) {
			delete(e.byUser, uid)
		}
	}
}

// follow keeps the list as the bucket is, until ctx ends. known is closed when everything was read once.
func (e *Ended) follow(ctx context.Context, known chan<- struct{}) {
	defer close(e.done)
	var once sync.Once
	eventlog.BucketWatch{
		Open:   e.open,
		Reset:  e.forget,
		Entry:  e.read,
		Synced: func() { once.Do(func() { close(known) }) },
		OnError: func(err error) {
			e.log.Warn().Err(err).Msg("whose sessions were ended cannot be followed; what was known last holds, and it is tried again")
		},
	}.Follow(ctx, e.nc)
}

func (e *Ended) read(entry jetstream.KeyValueEntry) {
	if entry.Operation() != jetstream.KeyValuePut {
		return // by hand; it holds until its time is over
	}
	var x ended
	if err := json.Unmarshal(entry.Value(), &x); err != nil || wire.RoomKey(x.UID) != entry.Key() {
		e.log.Warn().Str("key", entry.Key()).Msg("an entry of the bucket " + EndedBucket + " is none and was passed over; who writes there?")
		return
	}
	e.apply(x)
}
