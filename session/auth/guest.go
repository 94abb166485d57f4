package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// GuestTokenTTL is how long a guest's token, and with it the guest's uid, may be used to connect. It does not end a session:
	// Identity.Expires of a guest is zero.
	GuestTokenTTL = 30 * 24 * time.Hour

	guestUIDBytes = 10 // 80 bits, 16 characters
	// guestTokenType in a token's typ header says whom to ask. Nothing rests on it: the key does not verify anything else.
	guestTokenType = "roomd-guest+jwt"
)

var guestEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Guests makes identities for people without a login, and tokens that let them keep their uid. Its exported fields are set before
// use; then any goroutine may use it.
type Guests struct {
	Rooms []string // Identity.Rooms of every guest; nil: every room
	Speak []string // Identity.Speak of every guest; nil: wherever it may enter, and to every user

	secret []byte // fixed; shared by the nodes of the cluster
}

// NewGuests returns Guests whose tokens are signed with secret, of MinSecret bytes at least; every node of a cluster has the same one,
// which store.NewGuests shares.
func NewGuests(secret []byte) (*Guests, error) {
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	return &Guests{secret: bytes.Clone(secret)}, nil
}

// Profile is how somebody asks to be shown. What comes of it is cleaned by the rules of MaxName.
type Profile struct {
	Username string `json:"username"`  // "": as before, or GuestName
	AvatarID string `json:"avatar_id"` // "": as before, or none
}

// New returns the identity of a new guest: a uid of its own that cannot be guessed, and what it asks for.
func (g *Guests) New(asks Profile) Identity {
	random := make([]byte, guestUIDBytes)
	rand.Read(random) // never fails
	id := Identity{
		UID: guestPrefix + strings.ToLower(guestEncoding.EncodeToString(random)), Username: GuestName, Guest: true,
		IssuedAt: time.Now().Truncate(time.Millisecond), Rooms: g.Rooms, Speak: g.Speak,
	}
	return renamed(id, asks)
}

// renamed gives a guest the name it asks for now; what it does not ask for stays. The names are copies: as parts of the request's
// URL they would keep all of it for as long as the session lasts.
func renamed(id Identity, asks Profile) Identity {
	if name := CleanName(asks.Username); name != "" {
		id.Username = strings.Clone(name)
	}
	if avatar := CleanName(asks.AvatarID); avatar != "" {
		id.AvatarID = strings.Clone(avatar)
	}
	return id
}

// Token returns a token from which Verify, on any node, makes id again, for GuestTokenTTL from now.
func (g *Guests) Token(id Identity) (string, error) {
	if !id.Guest {
		return "", fmt.Errorf("auth: %q is no guest and gets no guest's token", id.UID)
	}
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &tokenClaims{
		Subject: id.UID, Name: id.Username, Avatar: text(id.AvatarID),
		IssuedAt: &issuedAt{now}, ExpiresAt: jwt.NewNumericDate(now.Add(GuestTokenTTL)),
	})
	token.Header["typ"] = guestTokenType
	signed, err := token.SignedString(g.secret)
	if err != nil {
		return "", fmt.Errorf("auth: sign a guest's token: %w", err)
	}
	return signed, nil
}

// Verify returns the guest a token of Token is for. Its errors are *Error of ErrBadCredential.
func (g *Guests) Verify(token string) (Identity, error) {
	claims, err := parseToken(token, secretKey(g.secret).choose)
	if err != nil {
		return Identity{}, err
	}
	if !strings.HasPrefix(claims.Subject, guestPrefix) {
		return Identity{}, refuse("the token is not a guest's")
	}
	id := claims.identity()
	id.Guest, id.Expires, id.Rooms, id.Speak = true, time.Time{}, g.Rooms, g.Speak // what this server grants now
	return id, nil
}

// isGuestToken reports whether a token says that it is a guest's; anybody can write that.
func isGuestToken(token string) bool {
	if len(token) > MaxToken {
		return false
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &tokenClaims{})
	return err == nil && parsed.Header["typ"] == guestTokenType
}
