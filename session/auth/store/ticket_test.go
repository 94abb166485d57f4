package store

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func newTickets(t *testing.T, nc *nats.Conn) *Tickets {
	t.Helper()
	tickets, err := NewTickets(t.Context(), nc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tickets
}

func issue(t *testing.T, tickets auth.Tickets, id auth.Identity) string {
	t.Helper()
	otp, expiresIn, err := tickets.Issue(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if expiresIn != TicketTTL {
		t.Fatalf("expires in %v", expiresIn)
	}
	return otp
}

func TestTicketIsRedeemedOnceOnAnyNode(t *testing.T) {
	_, conns := nodes(t, 2)
	here, there := newTickets(t, conns[0]), newTickets(t, conns[1])
	want := auth.Identity{UID: "u1", Username: "U", AvatarID: "3", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Rooms: []string{}}
	otp := issue(t, here, want)
	got, err := there.Redeem(t.Context(), otp)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, tickets := range []*Tickets{here, there} {
		_, err := tickets.Redeem(t.Context(), otp)
		wantRefused(t, err, "used already", otp)
	}
}

func TestConcurrentRedeemHasOneWinner(t *testing.T) {
	const nodeCount, perNode, rounds = 4, 4, 5
	_, conns := nodes(t, nodeCount)
	var all []*Tickets
	for _, nc := range conns {
		all = append(all, newTickets(t, nc))
	}
	for range rounds {
		otp := issue(t, all[0], auth.Identity{UID: "u1"})
		var wg sync.WaitGroup
		errs := make([]error, nodeCount*perNode)
		begin := make(chan struct{})
		for i := range errs {
			wg.Go(func() {
				<-begin
				_, errs[i] = all[i%nodeCount].Redeem(t.Context(), otp)
			})
		}
		close(begin)
		wg.Wait()
		winners := 0
		for _, err := range errs {
			if err == nil {
				winners++
				continue
			}
			wantRefused(t, err, "used already", otp)
		}
		if winners != 1 {
			t.Fatalf("%d winners", winners)
		}
	}
}

func TestTicketExpires(t *testing.T) {
	_, conns := nodes(t, 1)
	tickets := newTickets(t, conns[0])
	now := time.Now()
	tickets.now = func() time.Time { return now } // the server's own purge is far away, so this is about ours
	for _, tc := range []struct {
		after time.Duration
		id    auth.Identity
		bad   string
	}{
		{TicketTTL - 1, auth.Identity{UID: "u"}, ""},
		{TicketTTL, auth.Identity{UID: "u"}, "older than 30 seconds"},
		{time.Hour, auth.Identity{UID: "u"}, "older than 30 seconds"},
		{15 * time.Second, auth.Identity{UID: "u", Expires: now.Add(5 * time.Second)}, ""},
		{15*time.Second + 1, auth.Identity{UID: "u", Expires: now.Add(5 * time.Second)}, "behind the ticket has expired"},
	} {
		issued := now
		otp := issue(t, tickets, tc.id)
		now = issued.Add(tc.after)
		_, err := tickets.Redeem(t.Context(), otp)
		now = issued
		if tc.bad == "" && err != nil {
			t.Errorf("after %v: %v", tc.after, err)
		} else if tc.bad != "" {
			wantRefused(t, err, tc.bad, otp)
		}
	}
}

func TestRedeemRefusesWhatIsNoTicket(t *testing.T) {
	_, conns := nodes(t, 1)
	tickets := newTickets(t, conns[0])
	otp := issue(t, tickets, auth.Identity{UID: "u1"})
	flipped := []byte(otp)
	flipped[0] ^= 1
	for _, bad := range []string{"", "x", otp + "x", string(flipped), ticketKey(otp), strings.Repeat("*", len(otp)), strings.Repeat(".", len(otp))} {
		_, err := tickets.Redeem(t.Context(), bad)
		wantRefused(t, err, "unknown", bad)
	}
	if _, err := tickets.Redeem(t.Context(), otp); err != nil {
		t.Errorf("the real one: %v", err)
	}
}

// TestBucketKeepsNoTicket reads the bucket as a spy would.
func TestBucketKeepsNoTicket(t *testing.T) {
	_, conns := nodes(t, 1)
	tickets := newTickets(t, conns[0])
	otp := issue(t, tickets, auth.Identity{UID: "u1"})
	keys, err := tickets.kv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 {
		t.Fatalf("keys %q", keys)
	}
	entry, err := tickets.kv.Get(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(keys[0]+string(entry.Value()), otp) {
		t.Error("the bucket holds the ticket")
	}
	_, err = tickets.Redeem(t.Context(), keys[0][:len(otp)])
	wantRefused(t, err, "unknown")
}

func TestBucketConfig(t *testing.T) {
	_, conns := nodes(t, 2)
	newTickets(t, conns[0])
	newTickets(t, conns[1]) // again, from elsewhere
	js, err := jetstream.New(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_"+TicketBucket)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	if cfg.MaxAge != TicketTTL || cfg.MaxMsgsPerSubject != 1 || cfg.AllowRollup || cfg.AllowDirect || cfg.Replicas != 1 || cfg.Storage != jetstream.FileStorage {
		t.Errorf("config %+v", cfg)
	}
	// A kind of storage cannot be changed, and a single server has no second
	// replica: both are errors, not silence.
	if _, err := NewTickets(t.Context(), conns[0], &Options{Memory: true}); err == nil {
		t.Error("the storage was changed")
	}
	if _, err := NewGuests(t.Context(), conns[0], &Options{Replicas: 3}); err == nil {
		t.Error("three replicas on one server")
	}
	if err := js.DeleteStream(t.Context(), "KV_"+TicketBucket); err != nil {
		t.Fatal(err)
	}
	memory, err := NewTickets(t.Context(), conns[0], &Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Redeem(t.Context(), issue(t, memory, auth.Identity{UID: "u"})); err != nil {
		t.Error(err)
	}
}

func TestTicketsWithoutNATS(t *testing.T) {
	s, conns := nodes(t, 1)
	tickets := newTickets(t, conns[0])
	otp := issue(t, tickets, auth.Identity{UID: "u1"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := tickets.Issue(t.Context(), auth.Identity{UID: "u1"})
	wantUnavailable(t, err)
	_, err = tickets.Redeem(t.Context(), otp)
	wantUnavailable(t, err)
	if strings.Contains(err.Error(), otp) {
		t.Errorf("%q repeats the ticket", err)
	}
	if _, err := NewTickets(t.Context(), conns[0], nil); err == nil {
		t.Error("opened without NATS")
	}
}

func TestDamagedTicket(t *testing.T) {
	_, conns := nodes(t, 1)
	tickets := newTickets(t, conns[0])
	otp := issue(t, tickets, auth.Identity{UID: "u1"})
	if _, err := tickets.kv.Put(t.Context(), ticketKey(otp), []byte("{")); err != nil {
		t.Fatal(err)
	}
	_, err := tickets.Redeem(t.Context(), otp)
	wantUnavailable(t, err)
}
