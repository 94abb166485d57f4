package store

import (
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func newGuests(t *testing.T, nc *nats.Conn) *auth.Guests {
	t.Helper()
	guests, err := NewGuests(t.Context(), nc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return guests
}

// guestsOf are those whose key is secret.
func guestsOf(t *testing.T, secret []byte) *auth.Guests {
	t.Helper()
	guests, err := auth.NewGuests(secret)
	if err != nil {
		t.Fatal(err)
	}
	return guests
}

func guestToken(t *testing.T, g *auth.Guests, id auth.Identity) string {
	t.Helper()
	token, err := g.Token(id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestGuestTokensAreGoodOnEveryNode(t *testing.T) {
	const n = 8
	_, conns := nodes(t, n)
	all := make([]*auth.Guests, n)
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
		want := issuer.New(auth.Profile{Username: "Percy", AvatarID: "5"})
		got, err := all[(i+1)%n].Verify(guestToken(t, issuer, want))
		if err != nil {
			t.Fatal(err)
		}
		if got.UID != want.UID || got.Username != "Percy" || got.AvatarID != "5" || !got.Guest || !got.Expires.IsZero() {
			t.Errorf("got %+v, want %+v", got, want)
		}
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
