package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func newEnded(t *testing.T, nc *nats.Conn) *Revocations {
	t.Helper()
	e, err := NewRevocations(t.Context(), nc, nil, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func end(t *testing.T, e *Revocations, uid string, lasts time.Duration) {
	t.Helper()
	if err := e.Revoke(t.Context(), uid, lasts); err != nil {
		t.Fatal(err)
	}
}

// await waits until a condition holds that another goroutine brings about.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s did not come about", what)
		}
	}
}

func TestEnded(t *testing.T) {
	_, conns := nodes(t, 3)
	one, two := newEnded(t, conns[0]), newEnded(t, conns[1])
	before := time.Now().Add(-time.Second)
	old := auth.Identity{UID: "百 /.*>@", IssuedAt: before} // no key of a bucket reads so
	old.UID = "百/.*>"
	bob := auth.Identity{UID: "bob", IssuedAt: before}
	end(t, one, old.UID, time.Hour)
	if !one.Revoked(old) {
		t.Error("where sessions were ended they are not refused")
	}
	await(t, "the other node's refusal", func() bool { return two.Revoked(old) })
	three := newEnded(t, conns[2])
	if !three.Revoked(old) {
		t.Error("a node that starts later does not know")
	}
	for i, e := range []*Revocations{one, two, three} {
		if !e.Revoked(auth.Identity{UID: old.UID}) {
			t.Errorf("node %d takes a credential that does not say when it was made", i)
		}
		if e.Revoked(auth.Identity{UID: old.UID, IssuedAt: time.Now().Add(time.Second)}) {
			t.Errorf("node %d refuses what was made later", i)
		}
		if e.Revoked(bob) {
			t.Errorf("node %d refuses somebody else", i)
		}
	}

	end(t, two, old.UID, time.Minute) // a shorter time does not shorten
	one.mu.RLock()
	until := one.byUser[old.UID].Until
	one.mu.RUnlock()
	if left := time.Until(time.UnixMilli(until)); left < 50*time.Minute {
		t.Errorf("it holds for %v more", left)
	}
	end(t, three, old.UID, 0)
	for i, e := range []*Revocations{three, two, one} {
		await(t, fmt.Sprintf("lifting it on node %d", i), func() bool { return !e.Revoked(old) })
	}
	if four := newEnded(t, conns[0]); four.Revoked(old) {
		t.Error("it was lifted, and holds at a node that starts later")
	}
}

func TestEndedForATime(t *testing.T) {
	_, conns := nodes(t, 1)
	e := newEnded(t, conns[0])
	old := auth.Identity{UID: "ann", IssuedAt: time.Now().Add(-time.Hour)}
	end(t, e, "ann", 1200*time.Millisecond)
	if !e.Revoked(old) {
		t.Error("it does not hold")
	}
	await(t, "the end of the time", func() bool { return !e.Revoked(old) })
	e.expire()
	if len(e.byUser) != 0 {
		t.Errorf("%d users are remembered", len(e.byUser))
	}
	js, err := jetstream.New(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_"+RevocationBucket)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the entry in the bucket", func() bool {
		info, err := stream.Info(t.Context())
		return err == nil && info.State.Msgs == 0
	})
	if info := stream.CachedInfo(); info.Config.MaxMsgs != MaxRevocations || info.Config.MaxAge != MaxRevocation {
		t.Errorf("the bucket is %+v", info.Config)
	}
	for _, lasts := range []time.Duration{-1, MaxRevocation + 1} {
		if err := e.Revoke(t.Context(), "ann", lasts); err == nil {
			t.Errorf("ended for %v", lasts)
		}
	}
	if err := e.Revoke(t.Context(), "", time.Hour); err == nil {
		t.Error("ended for nobody")
	}
}

// A full bucket takes nobody more, and those in it stay refused.
func TestEndedIsBounded(t *testing.T) {
	_, conns := nodes(t, 1)
	e := newEnded(t, conns[0])
	js, err := jetstream.New(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_"+RevocationBucket)
	if err != nil {
		t.Fatal(err)
	}
	small := stream.CachedInfo().Config
	small.MaxMsgs = 2
	if _, err := js.UpdateStream(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	end(t, e, "a", time.Hour)
	end(t, e, "b", time.Hour)
	if err := e.Revoke(t.Context(), "c", time.Hour); !errors.Is(err, ErrTooManyRevocations) {
		t.Errorf("one more: %v", err)
	}
	end(t, e, "a", 2*time.Hour) // is in it
	for uid, refused := range map[string]bool{"a": true, "b": true, "c": false} {
		if e.Revoked(auth.Identity{UID: uid}) != refused {
			t.Errorf("%s refused: %v", uid, !refused)
		}
	}
}

// While NATS is away what was known last holds; when it is back, what was ended
// meanwhile is heard.
func TestEndedWhileNATSIsAway(t *testing.T) {
	dir := t.TempDir()
	cfg := embedded.Config{Addr: "127.0.0.1:0", StoreDir: dir}
	server, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL()
	cfg.Addr = url[len("nats://"):]
	connect := func(name string) *nats.Conn {
		nc, err := embedded.Remote{URL: url}.Connect(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	e := newEnded(t, connect("one"))
	heard := make(chan string, 16)
	e.OnRevoke(func(uid string) { heard <- uid })
	end(t, e, "ann", time.Hour)
	if uid := <-heard; uid != "ann" {
		t.Errorf("heard %q", uid)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	ann, bob := auth.Identity{UID: "ann"}, auth.Identity{UID: "bob"}
	if !e.Revoked(ann) {
		t.Error("without NATS it does not hold")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantUnavailable(t, e.Revoke(ctx, "bob", time.Hour))
	if e.Revoked(bob) {
		t.Error("what was not stored holds")
	}

	if server, err = embedded.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	two := newEnded(t, connect("two"))
	if !two.Revoked(ann) {
		t.Error("it is not in the bucket")
	}
	end(t, two, "bob", time.Hour)
	await(t, "hearing of it", func() bool { return e.Revoked(bob) })
	if uid := <-heard; uid != "bob" {
		t.Errorf("heard %q", uid)
	}
}

// Tokens, guests' tokens and tickets from before are refused, those from after
// are taken.
func TestEndedCredentials(t *testing.T) {
	_, conns := nodes(t, 1)
	ended := newEnded(t, conns[0])
	who := &auth.Authenticator{
		Verifier: auth.NewVerifier(mustKey(t, secret)), Tickets: newTickets(t, conns[0]), Guests: newGuests(t, conns[0]), Revocations: ended,
	}
	user := mustSign(t, secret, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
	guest, err := who.Login(request("", ""), auth.Profile{Username: "Gina"})
	if err != nil {
		t.Fatal(err)
	}
	login, err := who.Login(request("", "Bearer "+user), auth.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	end(t, ended, "ann", time.Hour)
	end(t, ended, guest.Identity.UID, time.Hour)
	for name, query := range map[string]string{
		"token": "token=" + user, "ticket": "otp=" + login.OTP, "guest's ticket": "otp=" + guest.OTP,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := who.Identify(request(query, ""))
			wantRefused(t, err, "ended by an operator")
			if refused := (*auth.Error)(nil); !errors.As(err, &refused) || refused.Claimed == "" {
				t.Errorf("the log will not tell whose credential it is: %+v", refused)
			}
		})
	}
	for name, token := range map[string]string{"token": user, "guest's token": guest.Token} {
		t.Run(name+" for a ticket", func(t *testing.T) {
			_, err := who.Login(request("", "Bearer "+token), auth.Profile{})
			wantRefused(t, err, "ended by an operator")
			_, err = who.Identify(request("", "Bearer "+token))
			wantRefused(t, err, "ended by an operator")
		})
	}
	if n := who.Stats().RefusedEnded.Load(); n != 7 {
		t.Errorf("%d were counted", n)
	}
	await(t, "a later token", func() bool { // of a later millisecond
		later := mustSign(t, secret, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
		_, err := who.Identify(request("token="+later, ""))
		return err == nil
	})
	if _, err := who.Identify(request("username=Gina", "")); err != nil {
		t.Errorf("a new guest: %v", err)
	}
}
