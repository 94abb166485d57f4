package rooms

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// SecretBytes is the length of Config.Secret, in bytes.
const SecretBytes = eventlog.KeyBytes

// HeaderBy is on what a node publishes for a client: the kind of its author, a
// dot and a MAC that only nodes can make.
const HeaderBy = eventlog.HeaderBy

// The input of a MAC starts with its purpose, so that no MAC is valid for another
// purpose.
const (
	forLog    = "event"
	forSignal = "signal"
	forID     = "id"
)

// secret is the key that the nodes of a cluster share. Any goroutine may use
// it.
//
// Its MACs are the tags of AES-GCM-SIV (RFC 8452) without the encryption: GHASH
// under one key, and the sum encrypted by AES under another, so that GHASH's
// key stays hidden. With N MACs of n blocks somebody without the key forges one
// with a probability of N²n/2¹²⁸. A message takes two of them, 0.1 µs each,
// where HMAC-SHA256 took 0.4 µs and 3% of a message to a room of ten.
type secret struct {
	// fixed
	key   []byte
	since time.Time   // events stored before have no author; zero: all have one
	hash  cipher.AEAD // GCM with a constant nonce and only additional data: GHASH, masked with a constant
	seal  cipher.Block

	sealer *sealer // of what tables hide

	scratch sync.Pool // of *scratch
}

// scratch is the memory for one MAC: its input and its text.
type scratch struct{ in, out []byte }

const (
	macBytes = aes.BlockSize
	// keepScratch is the largest input that goes back to the pool, in bytes.
	keepScratch = 64 << 10
)

var macLength = base64.RawURLEncoding.EncodedLen(macBytes)

func newSecret(key []byte, since time.Time) (*secret, error) {
	s := &secret{key: key, since: since}
	s.scratch.New = func() any { return &scratch{in: make([]byte, 0, 1024), out: make([]byte, 0, macBytes+macLength)} }
	hash, err := blockCipher(key, "roomd mac: hash")
	if err != nil {
		return nil, err
	}
	if s.hash, err = cipher.NewGCM(hash); err != nil {
		return nil, err
	}
	if s.seal, err = blockCipher(key, "roomd mac: seal"); err != nil {
		return nil, err
	}
	s.sealer, err = newSealer(key)
	return s, err
}

// blockCipher returns AES under a key that is derived from the secret for one
// purpose.
func blockCipher(secret []byte, purpose string) (cipher.Block, error) {
	key, err := hkdf.Expand(sha256.New, secret, purpose, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

var noNonce [12]byte

// mac returns a MAC as text, in the scratch. The names hold no control
// characters, so the zero byte after each separates them.
func (s *secret) mac(w *scratch, body []byte, names ...string) []byte {
	w.in = w.in[:0]
	for _, name := range names {
		w.in = append(append(w.in, name...), 0)
	}
	w.in = append(w.in, body...)
	w.out = s.hash.Seal(w.out[:0], noNonce[:], nil, w.in)
	s.seal.Encrypt(w.out, w.out)
	return base64.RawURLEncoding.AppendEncode(w.out, w.out[:macBytes])[macBytes:]
}

func (s *secret) getScratch() *scratch { return s.scratch.Get().(*scratch) }

func (s *secret) putScratch(w *scratch) {
	if cap(w.in) <= keepScratch {
		s.scratch.Put(w)
	}
}

// sign returns the header that proves to other nodes that one of them publishes
// body for an author of that kind; "" for a service, which needs none.
func (s *secret) sign(purpose string, author wire.Author, room wire.Room, body []byte) string {
	if author != wire.FromUser && author != wire.FromGuest {
		return ""
	}
	w := s.getScratch()
	defer s.putScratch(w)
	kind := author.String()
	return kind + "." + string(s.mac(w, body, purpose, kind, string(room)))
}

// author returns who body is from by its header: without a valid MAC it is from
// a service.
func (s *secret) author(purpose, by string, room wire.Room, body []byte) wire.Author {
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
	w := s.getScratch()
	defer s.putScratch(w)
	want := s.mac(w, body, purpose, kind, string(room))
	w.in = append(w.in[:0], mac...)
	if subtle.ConstantTimeCompare(want, w.in) != 1 {
		return wire.FromService
	}
	return author
}

// storedAuthor is author for an event that was stored at logTime.
func (s *secret) storedAuthor(by string, room wire.Room, body []byte, logTime string) wire.Author {
	if by == "" && !s.since.IsZero() {
		if at, err := time.Parse(time.RFC3339Nano, logTime); err == nil && at.Before(s.since) {
			return wire.FromUnknown
		}
	}
	return s.author(forLog, by, room, body)
}

// id returns the idempotency key of the nth event that a client's request
// publishes. Nobody without the secret can compute it, and so use it first.
func (s *secret) id(room wire.Room, uid, id string, n int) string {
	w := s.getScratch()
	defer s.putScratch(w)
	return "by." + string(s.mac(w, nil, forID, string(room), uid, id, strconv.Itoa(n)))
}

// countUnsigned counts an event that claims an author but is from a service,
// and returns author.
func (e *Engine) countUnsigned(author wire.Author, by string) wire.Author {
	if author == wire.FromService && by != "" {
		e.stats.NotSigned.Add(1)
	}
	return author
}

// MessageID returns the idempotency key of the nth event that a user's request
// `id` publishes in a room, the same on all nodes: no two users, rooms or
// events share one, and nobody else can compute it. Without an id it is "".
func (e *Engine) MessageID(room wire.Room, uid, id string, n int) string {
	if id == "" {
		return ""
	}
	return e.secret.Load().id(room, uid, id, n)
}

// ServiceMessageID returns the Nats-Msg-Id, and PublishOptions.ID, of what a
// service publishes in a room under a key: that which rooms.publish and the HTTP
// API use, so that an event sent again by another way is stored once. The same
// key in another room is another event.
func ServiceMessageID(room wire.Room, key string) string {
	return "service/" + wire.RoomKey(room) + "/" + wire.RoomKey(key)
}

// startSecret uses the configured secret, or the one in NATS.
func (e *Engine) startSecret(ctx context.Context) error {
	if e.cfg.Secret != nil {
		return e.setSecret(e.cfg.Secret, time.Time{})
	}
	key, since, err := e.stores[wire.SpaceRooms].log.Secret(ctx, nil)
	if err != nil {
		return fmt.Errorf("rooms: the secret of the nodes: %w", err)
	}
	return e.setSecret(key, since)
}

func (e *Engine) setSecret(key []byte, since time.Time) error {
	s, err := newSecret(key, since)
	if err != nil {
		return fmt.Errorf("rooms: the secret of the nodes: %w", err)
	}
	e.secret.Store(s)
	return nil
}

// restoreSecret stores the secret again after NATS has lost it, or uses the one
// that another node has created in the meantime.
func (e *Engine) restoreSecret(ctx context.Context) {
	was := e.secret.Load()
	if e.cfg.Secret != nil {
		return
	}
	key, _, err := e.stores[wire.SpaceRooms].log.Secret(ctx, was.key)
	if err == nil && !bytes.Equal(key, was.key) {
		err = e.setSecret(key, was.since)
	}
	if err != nil {
		e.cfg.Log.Error().Err(err).Msg("the secret of the nodes could not be put back: other nodes may show what this one publishes as a service's; restart this one")
	}
}

// watchSecret puts the secret back when NATS has lost it and nothing else: a node that
// starts would make another one.
func (e *Engine) watchSecret(ctx context.Context) {
	if e.cfg.Secret != nil {
		return
	}
	tick := time.NewTicker(e.cfg.tuning.heartbeat)
	defer tick.Stop()
	for missed := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		switch has, err := e.stores[wire.SpaceRooms].log.HasSecret(ctx); {
		case err != nil: // NATS is away: nothing is known
		case has:
			missed = 0
		default:
			if missed++; missed < 2 { // a replica that lags does not have it yet
				continue
			}
			e.cfg.Log.Error().Msg("the secret of the nodes is gone from NATS; putting it back: was the bucket roomd_keys deleted?")
			e.stats.SecretsRestored.Add(1)
			e.restoreSecret(ctx)
			missed = 0
		}
	}
}

// compareSecret says so when a node has another secret than this one. The one that has
// started later leaves the tables to the other: it cannot read their logs.
func (e *Engine) compareSecret(b heartbeat) {
	own := e.secret.Load().sealer.name
	if !e.peers.differs(alikeSecret, b.Node, b.Secret != "" && b.Secret != own) {
		return
	}
	e.cfg.Log.Error().Str("node", e.cfg.Node).Str("other", b.Node).
		Msg("another node has another secret: neither believes what the other publishes for its users, nor decides for its tables; put the right one back, nats kv put roomd_keys cluster-hs256 < secret, and restart the nodes that have another")
	if b.Started < e.started {
		e.background(e.LeaveTables)
	}
}
