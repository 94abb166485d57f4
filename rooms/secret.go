package rooms

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// SecretBytes is the length of Config.Secret.
const SecretBytes = eventlog.KeyBytes

// HeaderBy is on what a node publishes for a client: the kind of its author, a
// dot and a mac that only nodes can make.
const HeaderBy = eventlog.HeaderBy

// macBytes is how much of a sum is kept: nobody can try many.
const macBytes = 16

var macLength = base64.RawURLEncoding.EncodedLen(macBytes)

// What a sum is over begins with its purpose, so that none is good for another.
const (
	forLog    = "event"
	forSignal = "signal"
	forID     = "id"
)

// secret is the key that the nodes of a cluster share. Any goroutine may use it.
type secret struct {
	// fixed
	key   []byte
	since time.Time // what was stored before has no author; zero: everything has one

	sums sync.Pool // of *summing
}

// summing is one HMAC at work. It keeps the states that the key leads to, so
// that the next one starts from there, and the space for what goes in and out.
type summing struct {
	mac hash.Hash
	in  []byte // before the body
	out []byte // the sum, and then its text
}

func newSecret(key []byte, since time.Time) *secret {
	s := &secret{key: key, since: since}
	s.sums.New = func() any {
		return &summing{mac: hmac.New(sha256.New, s.key), in: make([]byte, 0, 256), out: make([]byte, 0, sha256.Size+macLength)}
	}
	return s
}

// sum appends the text of a mac to prefix. Names that hold no control character
// are told apart by those between them.
func (s *secret) sum(w *summing, body []byte, names ...string) []byte {
	w.mac.Reset()
	w.in = w.in[:0]
	for _, name := range names {
		w.in = append(append(w.in, name...), 0)
	}
	w.mac.Write(w.in)
	w.mac.Write(body)
	w.out = w.mac.Sum(w.out[:0])
	return base64.RawURLEncoding.AppendEncode(w.out, w.out[:macBytes])[sha256.Size:]
}

// sign is the header by which nodes know that one of them publishes body for an
// author of that kind; "" for a service, which has none.
func (s *secret) sign(purpose string, author wire.Author, room string, body []byte) string {
	if author != wire.FromUser && author != wire.FromGuest {
		return ""
	}
	w := s.sums.Get().(*summing)
	defer s.sums.Put(w)
	kind := author.String()
	return kind + "." + string(s.sum(w, body, purpose, kind, room))
}

// author is who body is from by its header: what a node has not signed is a
// service's.
func (s *secret) author(purpose, by, room string, body []byte) wire.Author {
	kind, mac, _ := strings.Cut(by, ".")
	var author wire.Author
	switch {
	case len(mac) != macLength:
		return wire.FromService
	case kind == wire.FromUser.String():
		author = wire.FromUser
	case kind == wire.FromGuest.String():
		author = wire.FromGuest
	default:
		return wire.FromService
	}
	w := s.sums.Get().(*summing)
	defer s.sums.Put(w)
	want := s.sum(w, body, purpose, kind, room)
	w.in = append(w.in[:0], mac...)
	if !hmac.Equal(want, w.in) {
		return wire.FromService
	}
	return author
}

// stored is author of what the log has since logTime.
func (s *secret) stored(by, room string, body []byte, logTime string) wire.Author {
	if by == "" && !s.since.IsZero() {
		if at, err := time.Parse(time.RFC3339Nano, logTime); err == nil && at.Before(s.since) {
			return wire.FromUnknown
		}
	}
	return s.author(forLog, by, room, body)
}

// id is the idempotency key of the nth event that a client's request publishes.
// Who does not have the secret can make none, and so cannot use it first.
func (s *secret) id(room, uid, id string, n int) string {
	w := s.sums.Get().(*summing)
	defer s.sums.Put(w)
	return "by." + string(s.sum(w, nil, forID, room, uid, id, strconv.Itoa(n)))
}

// MessageID is the idempotency key of the nth event that a user's request `id`
// publishes in a room, the same on all nodes: no two users, rooms or events share
// one, and nobody else can know it. Without an id there is none.
func (e *Engine) MessageID(room, uid, id string, n int) string {
	if id == "" {
		return ""
	}
	return e.secret.Load().id(room, uid, id, n)
}

// startSecret takes the secret of the configuration, or the one in NATS.
func (e *Engine) startSecret(ctx context.Context) error {
	if e.cfg.Secret != nil {
		e.secret.Store(newSecret(e.cfg.Secret, time.Time{}))
		return nil
	}
	key, since, err := e.stores[wire.SpaceRooms].log.Secret(ctx, nil)
	if err != nil {
		return fmt.Errorf("rooms: the secret of the nodes: %w", err)
	}
	e.secret.Store(newSecret(key, since))
	return nil
}

// restoreSecret puts the secret back that a NATS server has lost, or takes the
// one that another node has made meanwhile.
func (e *Engine) restoreSecret(ctx context.Context) {
	was := e.secret.Load()
	if e.cfg.Secret != nil {
		return
	}
	key, _, err := e.stores[wire.SpaceRooms].log.Secret(ctx, was.key)
	switch {
	case err != nil:
		e.cfg.Log.Error().Err(err).Msg("the secret of the nodes could not be put back: other nodes may show what this one publishes as a service's; restart this one")
	case !hmac.Equal(key, was.key):
		e.secret.Store(newSecret(key, was.since))
	}
}
