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
	// GuestTokenTTL is how long a guest's token, and with it the guest's uid,
	// can be used to connect. It does not end sessions: Identity.Expires of a
	// guest is zero.
	GuestTokenTTL = 30 * 24 * time.Hour

	guestUIDBytes = 10 // 80 bits, 16 characters
	// guestTokenType in a token's typ header selects the verifier. It is no
	// security check: guests' tokens have a key of their own.
	guestTokenType = "roomd-guest+jwt"
)

var guestEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Guests creates identities for users without an account, and tokens with which
// they keep their uid. Its exported fields are set before the first use; its
// methods may be called from any goroutine.
type Guests struct {
	Rooms []string // Identity.Rooms of every guest; nil: every room
	Speak []string // Identity.Speak of every guest; nil: wherever it may enter, and to every user's inbox

	secret []byte // fixed; shared by the nodes of the cluster
}

// NewGuests returns Guests whose tokens are signed with secret, which has at
// least MinSecret bytes and is the same on every node of a cluster;
// store.NewGuests shares one.
func NewGuests(secret []byte) (*Guests, error) {
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	return &Guests{secret: bytes.Clone(secret)}, nil
}

// Profile is the name and avatar that a guest asks for. Both are passed through
// CleanName.
type Profile struct {
	Username string `json:"username"`  // "": as before, or GuestName
	AvatarID string `json:"avatar_id"` // "": as before, or none
}

// New returns the identity of a new guest: a random uid that cannot be guessed,
// and the profile.
func (g *Guests) New(profile Profile) Identity {
	random := make([]byte, guestUIDBytes)
	rand.Read(random) // never fails
	id := Identity{
		UID: guestPrefix + strings.ToLower(guestEncoding.EncodeToString(random)), Username: GuestName, Guest: true,
		IssuedAt: time.Now().Truncate(time.Millisecond), Rooms: g.Rooms, Speak: g.Speak,
	}
	return withProfile(id, profile)
}

// withProfile returns a guest with the profile applied; empty fields change
// nothing. The strings are cloned: as substrings of the request's URL they
// would keep it in memory as long as the session lasts.
func withProfile(id Identity, profile Profile) Identity {
	if name := CleanName(profile.Username); name != "" {
		id.Username = strings.Clone(name)
	}
	if avatar := CleanName(profile.AvatarID); avatar != "" {
		id.AvatarID = strings.Clone(avatar)
	}
	return id
}

// Token returns a token for which Verify, on any node, returns id, until
// GuestTokenTTL from now. It is an error if id is no guest's.
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

// Verify returns the guest that a token made by Token is for. Its errors are
// *Error of ErrBadCredential.
func (g *Guests) Verify(token string) (Identity, error) {
	claims, err := parseToken(token, secretKey(g.secret).choose)
	if err != nil {
		return Identity{}, err
	}
	if !strings.HasPrefix(claims.Subject, guestPrefix) {
		return Identity{}, refuse("the token is not a guest's")
	}
	id := claims.identity()
	id.Guest, id.Expires, id.Rooms, id.Speak = true, time.Time{}, g.Rooms, g.Speak // as configured now, not when the token was made
	return id, nil
}

// isGuestToken reports whether a token says that it is a guest's; nothing is
// verified.
func isGuestToken(token string) bool {
	if len(token) > MaxToken {
		return false
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &tokenClaims{})
	return err == nil && parsed.Header["typ"] == guestTokenType
}
