package auth

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func guestToken(t *testing.T, g *Guests, id Identity) string {
	t.Helper()
	token, err := g.Token(id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewGuest(t *testing.T) {
	guests := &Guests{secret: secret}
	form := regexp.MustCompile(`^guest-[a-z2-7]{16}$`)
	seen := map[string]bool{}
	for range 100 {
		id := guests.New(Profile{})
		if !form.MatchString(id.UID) || seen[id.UID] {
			t.Fatalf("uid %q", id.UID)
		}
		seen[id.UID] = true
		if id.Username != GuestName || !id.Guest || !id.Expires.IsZero() || id.Rooms != nil {
			t.Fatalf("guest %+v", id)
		}
	}
	if id := guests.New(Profile{Username: " Percy\n ", AvatarID: " 5 "}); id.Username != "Percy" || id.AvatarID != "5" {
		t.Errorf("named guest %+v", id)
	}
}

func TestGuestVerifyRefuses(t *testing.T) {
	guests := &Guests{secret: secret}
	ours := func(claims jwt.MapClaims) string {
		return forge(t, jwt.SigningMethodHS256, secret, claims, "typ", guestTokenType)
	}
	for _, tc := range []struct{ name, token, want string }{
		{"expired", ours(jwt.MapClaims{"sub": "guest-a", "exp": time.Now().Add(-time.Minute).Unix()}), "expired"},
		{"a user", ours(jwt.MapClaims{"sub": "percy"}), "not a guest's"},
		{"other key", guestToken(t, &Guests{secret: []byte("another key")}, guests.New(Profile{})), "not signed with"},
		{"none", forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "guest-a"}), "not signed"},
		{"junk", "x", "well-formed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := guests.Verify(tc.token)
			wantRefused(t, err, tc.want)
		})
	}
	if _, err := guests.Token(Identity{UID: "percy"}); err == nil {
		t.Error("a user got a guest's token")
	}
}

func TestGuestTokenLifetime(t *testing.T) {
	guests := &Guests{secret: secret}
	before := time.Now()
	claims, err := parseToken(guestToken(t, guests, guests.New(Profile{})), secretKey(secret).choose)
	if err != nil {
		t.Fatal(err)
	}
	if life := claims.ExpiresAt.Sub(before.Truncate(time.Second)); life < GuestTokenTTL || life > GuestTokenTTL+time.Minute {
		t.Errorf("lives %v", life)
	}
}

func TestGuestsNeedAKey(t *testing.T) {
	if _, err := NewGuests([]byte("short")); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("got %v", err)
	}
	of := bytes.Clone(secret)
	guests, err := NewGuests(of)
	if err != nil {
		t.Fatal(err)
	}
	token := guestToken(t, guests, guests.New(Profile{}))
	clear(of) // the caller's own
	if _, err := guests.Verify(token); err != nil {
		t.Error(err)
	}
}
