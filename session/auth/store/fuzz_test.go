package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// FuzzTicket: of what somebody has put into the bucket, a ticket is redeemed
// once at most, and only in time.
func FuzzTicket(f *testing.F) {
	srv, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, Memory: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := srv.Close(); err != nil {
			f.Error(err)
		}
	})
	nc, err := srv.Connect("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	tickets, err := NewTickets(f.Context(), nc, &Options{Memory: true})
	if err != nil {
		f.Fatal(err)
	}
	otp := strings.Repeat("A", ticketLength)
	for _, value := range []string{
		`{"expires":"2999-01-01T00:00:00Z","identity":{"uid":"u1","username":"n","guest":false,"expires":"0001-01-01T00:00:00Z","rooms":null}}`,
		`{"expires":"2000-01-01T00:00:00Z","identity":{"uid":"u1"}}`, `{"identity":{"uid":"u1"}}`, `{}`, `null`, ``, `[]`,
		`{"expires":"2999-01-01T00:00:00Z","identity":{"uid":"u1","expires":"2001-01-01T00:00:00Z","rooms":["a*"],"speak":[]}}`,
	} {
		f.Add(otp, []byte(value))
	}
	f.Add("", []byte(`{}`))
	f.Add(strings.Repeat("*", ticketLength), []byte(`{}`))
	f.Fuzz(func(t *testing.T, otp string, value []byte) {
		if _, err := tickets.kv.Put(t.Context(), ticketKey(otp), value); err != nil {
			t.Fatal(err)
		}
		id, err := tickets.Redeem(t.Context(), otp)
		if err == nil {
			if len(otp) != ticketLength || !id.Expires.IsZero() && time.Now().After(id.Expires.Add(auth.Leeway)) {
				t.Fatalf("%q is a ticket for %+v", otp, id)
			}
			if again, err := tickets.Redeem(t.Context(), otp); err == nil {
				t.Fatalf("%q was redeemed twice, for %+v", otp, again)
			}
			return
		}
		var refused *auth.Error
		if !errors.As(err, &refused) {
			t.Fatalf("error %v", err)
		}
		if err := tickets.kv.Delete(t.Context(), ticketKey(otp)); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Fatal(err)
		}
	})
}
