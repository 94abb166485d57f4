package rooms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// restartable is a NATS server that goes away and comes back on its port and
// directory, as one that runs elsewhere.
type restartable struct {
	t   *testing.T
	cfg embedded.Config
	srv *embedded.Server
}

func startRestartable(t *testing.T) *restartable {
	t.Helper()
	r := &restartable{t: t, cfg: embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()}}
	r.up()
	r.cfg.Addr = strings.TrimPrefix(r.srv.URL(), "nats://")
	t.Cleanup(func() { r.down() })
	return r
}

func (r *restartable) up() {
	r.t.Helper()
	srv, err := embedded.Start(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.srv = srv
}

func (r *restartable) down() {
	r.t.Helper()
	if err := r.srv.Close(); err != nil {
		r.t.Error(err)
	}
}

// Connect is Remote's, with a reconnect that a test can wait for.
func (r *restartable) Connect(name string, opts ...nats.Option) (*nats.Conn, error) {
	quick := append([]nats.Option{nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0)}, opts...)
	return embedded.Remote{URL: "nats://" + strings.TrimPrefix(r.srv.URL(), "nats://")}.Connect(name, quick...)
}

// TestServerAway: what is published while NATS is away is stored once when it
// is back, and everybody hears it.
func TestServerAway(t *testing.T) {
	r := startRestartable(t)
	eng := startEngine(t, r, func(c *rooms.Config) { c.PublishTimes(patience, 2*time.Second, 100*time.Millisecond) })
	m := join(t, eng, "x", "m", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 5)
	m.awaitSeq(t, seqs[4])
	r.down()
	eventually(t, "not ready without NATS", func() bool { return eng.Ready() != nil })
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 50 {
		all.Add(1)
		publishAsync(t, eng, "x", fmt.Sprint("id-", i), note(5+i), func(s rooms.PubAck, err error) {
			defer all.Done()
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			seqs = append(seqs, s.Seq)
		})
	}
	eventually(t, "retries", func() bool { return eng.Stats().PublishRetries.Load() > 0 })
	r.up()
	all.Wait()
	slices.Sort(seqs)
	m.awaitSeq(t, seqs[54])
	wantSeqs(t, m, seqs)
	if notes := m.notes(); len(slices.Compact(slices.Sorted(slices.Values(notes)))) != 55 {
		t.Errorf("%d different notes", len(notes))
	}
	eventually(t, "ready again", func() bool { return eng.Ready() == nil })
}

// TestUnavailable: what cannot be stored is answered after the deadline,
// however often it could be tried until then, and joins into rooms that are not
// open are refused.
func TestUnavailable(t *testing.T) {
	r := startRestartable(t)
	eng := startEngine(t, r, func(c *rooms.Config) {
		c.PublishTimes(200*time.Millisecond, 50*time.Millisecond, 10*time.Millisecond)
	})
	r.down()
	_, err := publishOne(within(t), eng, "x", "id", note(1))
	if wire.AsError(err).Code != wire.Unavailable || !strings.Contains(err.Error(), "200ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := eng.Join(ctx, "x", newMember("m"), "", rooms.Since{}); wire.AsError(err).Code != wire.Unavailable {
		t.Error("join:", err)
	}
	if n := eng.Stats().PublishUnavailable.Load(); n != 1 {
		t.Errorf("%d given up", n)
	}
	r.up()
	eventually(t, "a join", func() bool {
		return eng.Join(within(t), "x", newMember("m2"), "", rooms.Since{}) == nil
	})
}

// silent is a stream that never answers, on a plain server: a subscriber takes
// the events and sends no ack.
func silent(t *testing.T) (nc *nats.Conn, attempts *atomic.Int64, answer func(body string)) {
	t.Helper()
	srv := startServer(t)
	taker := outsider(t, srv)
	attempts = new(atomic.Int64)
	var mu sync.Mutex
	var taken []*nats.Msg
	if _, err := taker.Subscribe(wire.SpaceRooms.AllEvents(), func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		taken = append(taken, m)
		attempts.Add(1)
	}); err != nil {
		t.Fatal(err)
	}
	if err := taker.Flush(); err != nil {
		t.Fatal(err)
	}
	return outsider(t, srv), attempts, func(body string) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range taken {
			if err := m.Respond([]byte(body)); err != nil {
				t.Error(err)
			}
		}
		taken = nil
	}
}

type commandReply struct {
	stored rooms.PubAck
	err    error
}

func outcomes(n int) (chan commandReply, func(rooms.PubAck, error)) {
	c := make(chan commandReply, n)
	return c, func(s rooms.PubAck, err error) { c <- commandReply{s, err} }
}

func code(err error) wire.Code {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

// TestNoIDIsNotRetriedBlindly: without an id an event that may have been stored
// is not sent again; with one it is.
func TestNoIDIsNotRetriedBlindly(t *testing.T) {
	nc, attempts, _ := silent(t)
	stats := new(eventlog.PublishStats)
	p, err := eventlog.NewPublisher(nc, stats, eventlog.PublishTimes{Deadline: time.Hour, Attempt: 50 * time.Millisecond, Retry: 10 * time.Millisecond}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, done := outcomes(2)
	p.Send("x", "", "", []byte(`{"type":"note"}`), done)
	if o := <-got; code(o.err) != wire.Unavailable || strings.Contains(o.err.Error(), "same id") {
		t.Error(o.err)
	}
	if n := stats.PublishRetries.Load(); n != 0 {
		t.Errorf("without an id it was sent again %d times", n)
	}
	p.Send("x", "id", "", []byte(`{"type":"note"}`), done)
	eventually(t, "with an id it is sent again, and again", func() bool { return stats.PublishRetries.Load() >= 2 })
	p.Close()
	<-got
	eventually(t, "all that was sent is taken", func() bool { return attempts.Load() == 2+stats.PublishRetries.Load() })

	q, err := eventlog.NewPublisher(nc, stats, eventlog.PublishTimes{Deadline: 50 * time.Millisecond, Attempt: 10 * time.Millisecond, Retry: 10 * time.Millisecond}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	q.Send("x", "id", "", []byte(`{"type":"note"}`), done)
	if o := <-got; code(o.err) != wire.Unavailable || !strings.Contains(o.err.Error(), "same id") {
		t.Error(o.err)
	}
}

// TestPublishAnswers are answers of the log to one publish.
func TestPublishAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, id, answers string // to one attempt after the other
		want              wire.Code
		seq               uint64
	}{
		{"stored", "", `{"stream":"ROOMS","seq":7}`, "", 7},
		{"refused, then stored", "", `{"error":{"code":503,"err_code":10077,"description":"busy"}}|{"stream":"ROOMS","seq":8}`, "", 8},
		{"refused for good", "id", `{"error":{"code":503,"err_code":10077,"description":"resource limits"}}`, wire.Unavailable, 0},
		{"too big", "", `{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}`, wire.BadPayload, 0},
		{"no JSON is no answer", "", `what`, wire.Unavailable, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc, attempts, answer := silent(t)
			stats := new(eventlog.PublishStats)
			times := eventlog.PublishTimes{Deadline: patience, Attempt: patience, Retry: 10 * time.Millisecond}
			switch tc.name { // which end with their time
			case "refused for good":
				times.Deadline = 2 * time.Second
			case "no JSON is no answer":
				times.Attempt = 200 * time.Millisecond
			}
			p, err := eventlog.NewPublisher(nc, stats, times, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got, done := outcomes(1)
			p.Send("x", tc.id, "", []byte(`{"type":"note"}`), done)
			for i, body := range strings.Split(tc.answers, "|") {
				eventually(t, "an attempt", func() bool { return attempts.Load() > int64(i) })
				answer(body)
			}
			o := <-got
			if code(o.err) != tc.want || o.stored.Seq != tc.seq {
				t.Errorf("%+v", o)
			}
			if tc.name == "refused for good" && !strings.Contains(o.err.Error(), "resource limits") {
				t.Errorf("%v does not say why", o.err)
			}
			if tc.name == "no JSON is no answer" && attempts.Load() != 1 {
				t.Errorf("sent %d times although it may be stored", attempts.Load())
			}
		})
	}
}

// TestPublishBusy: the node holds so many events, and so many bytes, at most.
func TestPublishBusy(t *testing.T) {
	for _, tc := range []struct {
		name  string
		body  int
		bound int
	}{{"count", 10, rooms.PublishPending}, {"bytes", 250 << 10, rooms.PublishBytes / (250 << 10)}} {
		t.Run(tc.name, func(t *testing.T) {
			nc, _, answer := silent(t)
			stats := new(eventlog.PublishStats)
			p, err := eventlog.NewPublisher(nc, stats, eventlog.PublishTimes{Deadline: time.Minute, Attempt: time.Minute, Retry: time.Minute}, rooms.PublishBytes)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var waiting sync.WaitGroup
			body := make([]byte, tc.body)
			for range tc.bound {
				waiting.Add(1)
				p.Send("x", "", "", body, func(_ rooms.PubAck, err error) {
					if err != nil {
						t.Error(err)
					}
					waiting.Done()
				})
			}
			got, done := outcomes(1)
			p.Send("x", "", "", body, done)
			if o := <-got; code(o.err) != wire.Busy || stats.PublishBusy.Load() != 1 {
				t.Errorf("one more: %v", o.err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all are answered", func() bool {
				answer(`{"seq":1}`)
				return stats.Published.Load() == int64(tc.bound)
			})
			waiting.Wait()
			p.Send("x", "", "", body, done)
			if len(got) != 0 {
				t.Errorf("afterwards: %v", (<-got).err)
			}
		})
	}
}

// TestDrain waits for what is on its way, refuses what comes, and gives up.
func TestDrain(t *testing.T) {
	nc, attempts, answer := silent(t)
	p, err := eventlog.NewPublisher(nc, new(eventlog.PublishStats), eventlog.PublishTimes{Deadline: time.Minute, Attempt: time.Minute, Retry: time.Minute}, rooms.PublishBytes)
	if err != nil {
		t.Fatal(err)
	}
	got, done := outcomes(2)
	p.Send("x", "", "", []byte(`{}`), done)
	eventually(t, "it is sent", func() bool { return attempts.Load() == 1 })
	drained := make(chan struct{})
	for range 2 { // twice, as by two Closes
		go func() {
			p.Drain(within(t))
			drained <- struct{}{}
		}()
	}
	eventually(t, "refusals", func() bool {
		late, done := outcomes(1)
		p.Send("x", "", "", []byte(`{}`), done)
		select {
		case o := <-late:
			return code(o.err) == wire.Unavailable
		default: // it got in before Drain: it will be answered too
			answer(`{"seq":1}`)
			return false
		}
	})
	answer(`{"seq":1}`)
	<-drained
	<-drained
	if o := <-got; o.err != nil {
		t.Error(o.err)
	}
	p.Close()

	q, err := eventlog.NewPublisher(nc, new(eventlog.PublishStats), eventlog.PublishTimes{Deadline: time.Minute, Attempt: time.Minute, Retry: time.Minute}, rooms.PublishBytes)
	if err != nil {
		t.Fatal(err)
	}
	q.Send("x", "", "", []byte(`{}`), done)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	q.Drain(ended)
	q.Close()
	if o := <-got; code(o.err) != wire.Unavailable {
		t.Error("given up:", o.err)
	}
}

func TestPublishAfterClose(t *testing.T) {
	eng, _ := start(t, nil)
	closeEngine(t, eng)
	if _, err := publishOne(within(t), eng, "x", "", note(1)); code(err) != wire.Unavailable {
		t.Error(err)
	}
	var e *wire.Error
	if err := eng.Join(within(t), "x", newMember("m"), "", rooms.Since{}); !errors.As(err, &e) || e.Code != wire.Unavailable {
		t.Error(err)
	}
	if _, err := eng.History(within(t), "x", 0, 1); code(err) != wire.Unavailable {
		t.Error(err)
	}
	if err := eng.Signal("x", note(1), rooms.SignalOptions{}); code(err) != wire.Unavailable {
		t.Error(err)
	}
	var unready *rooms.UnreadyError
	if err := eng.Ready(); !errors.As(err, &unready) || unready.Reason != rooms.ReasonStopped {
		t.Errorf("after Close it says %v", err)
	}
}
