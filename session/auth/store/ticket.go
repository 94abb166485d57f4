package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const (
	// TicketTTL is how long a ticket can be redeemed after it was issued, by
	// the clocks of the nodes, which should agree to within a second or so.
	TicketTTL = 30 * time.Second

	ticketBytes = 24 // of randomness
)

var ticketLength = base64.RawURLEncoding.EncodedLen(ticketBytes)

// Tickets issues and redeems one-time tickets: short-lived stand-ins for a
// credential that may appear in a URL. A ticket issued by one node is redeemed
// by any. Any goroutine may use it.
type Tickets struct {
	kv  jetstream.KeyValue // fixed
	now func() time.Time   // fixed
}

// ticket is the value in the bucket, under the hash of a ticket: who can read
// the bucket cannot redeem what is in it.
type ticket struct {
	Expires  time.Time     `json:"expires"`
	Identity auth.Identity `json:"identity"`
}

// NewTickets opens the bucket of the tickets, and creates it if needed; ctx
// bounds that. opts may be nil. nc must outlive the Tickets.
func NewTickets(ctx context.Context, nc *nats.Conn, opts *Options) (*Tickets, error) {
	kv, err := openBucket(ctx, nc, TicketBucket, TicketTTL, opts)
	if err != nil {
		return nil, err
	}
	return &Tickets{kv: kv, now: time.Now}, nil
}

// Issue returns a new ticket for id and how long it is valid. Its error is an
// *auth.Error of auth.ErrUnavailable.
func (t *Tickets) Issue(ctx context.Context, id auth.Identity) (otp string, expiresIn time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	random := make([]byte, ticketBytes)
	rand.Read(random) // never fails
	otp = base64.RawURLEncoding.EncodeToString(random)
	value, err := json.Marshal(ticket{Expires: t.now().Add(TicketTTL), Identity: id})
	if err != nil {
		return "", 0, auth.Unavailable("encode a ticket", err)
	}
	if _, err := t.kv.Create(ctx, ticketKey(otp), value); err != nil {
		return "", 0, auth.Unavailable("store a ticket", err)
	}
	return otp, TicketTTL, nil
}

// Redeem returns the identity that otp was issued to, and invalidates it: of
// any number of concurrent calls, on any nodes, one succeeds. The error for an
// unknown, used or expired ticket is an *auth.Error of auth.ErrBadCredential;
// after auth.ErrUnavailable the ticket may or may not be valid.
func (t *Tickets) Redeem(ctx context.Context, otp string) (auth.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	if len(otp) != ticketLength {
		return auth.Identity{}, errTicket()
	}
	entry, err := t.kv.Get(ctx, ticketKey(otp))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return auth.Identity{}, errTicket()
	} else if err != nil {
		return auth.Identity{}, auth.Unavailable("read a ticket", err)
	}
	var found ticket
	if err := json.Unmarshal(entry.Value(), &found); err != nil {
		return auth.Identity{}, auth.Unavailable("read a ticket", err)
	}
	// Only one caller can delete the revision that was read.
	err = t.kv.Delete(ctx, entry.Key(), jetstream.LastRevision(entry.Revision()))
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return auth.Identity{}, errTicket()
	} else if err != nil {
		return auth.Identity{}, auth.Unavailable("use up a ticket", err)
	}
	now := t.now()
	if !now.Before(found.Expires) { // the server may remove expired entries later
		return auth.Identity{}, errTicket()
	}
	if exp := found.Identity.Expires; !exp.IsZero() && now.After(exp.Add(auth.Leeway)) {
		return auth.Identity{}, auth.Refused("the login behind the ticket has expired; log in again")
	}
	return found.Identity, nil
}

func errTicket() *auth.Error {
	return auth.Refused("the ticket is unknown, was used already, or is older than %d seconds; log in again", int(TicketTTL.Seconds()))
}

func ticketKey(otp string) string {
	sum := sha256.Sum256([]byte(otp))
	return hex.EncodeToString(sum[:])
}
