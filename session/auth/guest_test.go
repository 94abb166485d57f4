package auth

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func newGuests(t *testing.T, nc *nats.Conn) *Guests {
	t.Helper()
	guests, err := NewGuests(t.Context(), nc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return guests
}

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
		id := guests.New("", "")
		if !form.MatchString(id.UID) || seen[id.UID] {
			t.Fatalf("uid %q", id.UID)
		}
		seen[id.UID] = true
		if id.Username != GuestName || !id.Guest || !id.Expires.IsZero() || id.Rooms != nil {
			t.Fatalf("guest %+v", id)
		}
	}
	if id := guests.New(" Percy\n ", " 5 "); id.Username != "Percy" || id.AvatarID != "5" {
		t.Errorf("named guest %+v", id)
	}
}

func TestGuestTokensAreGoodOnEveryNode(t *testing.T) {
	const n = 8
	_, conns := nodes(t, n)
	all := make([]*Guests, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, nc := range conns { // all at once, on an empty server: one key must win
		wg.Go(func() { all[i], errs[i] = NewGuests(t.Context(), nc, nil) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	for i, issuer := range all {
		want := issuer.New("Percy", "5")
		got, err := all[(i+1)%n].Verify(guestToken(t, issuer, want))
		if err != nil {
			t.Fatal(err)
		}
		if got.UID != want.UID || got.Username != "Percy" || got.AvatarID != "5" || !got.Guest || !got.Expires.IsZero() {
			t.Errorf("got %+v, want %+v", got, want)
		}
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
		{"other key", guestToken(t, &Guests{secret: []byte("another key")}, guests.New("", "")), "not signed with"},
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
	claims, err := parseToken(guestToken(t, guests, guests.New("", "")), secretKey(secret).choose)
	if err != nil {
		t.Fatal(err)
	}
	if life := claims.ExpiresAt.Sub(before.Truncate(time.Second)); life < GuestTokenTTL || life > GuestTokenTTL+time.Minute {
		t.Errorf("lives %v", life)
	}
}

func TestGuestKeyOfWrongLength(t *testing.T) {
	_, conns := nodes(t, 1)
	newGuests(t, conns[0])
	js, err := jetstream.New(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), KeyBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), guestKeyName, "short"); err != nil {
		t.Fatal(err)
	}
	if _, err := NewGuests(t.Context(), conns[0], nil); err == nil || !strings.Contains(err.Error(), "nats kv del roomd_keys guest-hs256") {
		t.Errorf("got %v", err)
	}
	if err := kv.Delete(t.Context(), guestKeyName); err != nil {
		t.Fatal(err)
	}
	newGuests(t, conns[0]) // makes a new one
}
