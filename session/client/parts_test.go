package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestBackoff(t *testing.T) {
	b := backoff{min: 500 * time.Millisecond, max: 20 * time.Second}
	for _, want := range []float64{0.5, 1, 2, 4, 8, 16, 20, 20} {
		if got := b.ceiling().Seconds(); got != want {
			t.Errorf("after %d failures: at most %vs, want %vs", b.failures, got, want)
		}
		if d := b.next(); d < 0 || d.Seconds() > want {
			t.Errorf("waits %v of at most %vs", d, want)
		}
	}
	if b.connectionEnded(19 * time.Second); b.failures == 0 {
		t.Error("a short connection counts as a success")
	}
	if b.connectionEnded(20 * time.Second); b.failures != 0 {
		t.Error("a long connection does not count as a success")
	}
	if huge := (backoff{min: 1, max: 1<<63 - 1, failures: 200}); huge.ceiling() != huge.max {
		t.Errorf("overflow: %v", huge.ceiling())
	}
}

func TestBucket(t *testing.T) {
	begin := time.Unix(0, 0)
	b := newBucket(20, 30, begin)
	now, sent := begin, 0
	for now.Sub(begin) < 2*time.Second {
		if wait := b.wait(now); wait > 0 {
			now = now.Add(wait)
			continue
		}
		b.take()
		sent++
	}
	if sent < 68 || sent > 71 {
		t.Errorf("%d events in 2s, want 30 and 20 per second", sent)
	}
	if now = now.Add(time.Hour); b.wait(now) != 0 || b.tokens != 30 {
		t.Errorf("%v tokens after an hour, want the burst", b.tokens)
	}
	if free := newBucket(0, 1, begin); free.wait(begin) != 0 {
		t.Error("no limit waits")
	}
}

func TestOutbox(t *testing.T) {
	now := time.Unix(0, 0)
	made := func(id string, once bool) *request {
		return &request{event: wire.Event{ID: id}, once: once, done: make(chan struct{})}
	}
	o := newOutbox(4)
	a, b, signal, d := made("a", false), made("b", false), made("", true), made("d", false)
	for _, r := range []*request{a, b, signal, d} {
		if err := o.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.add(made("e", false)); !errors.Is(err, ErrOutboxFull) {
		t.Errorf("a fifth: %v", err)
	}
	if _, ok := o.oldest(); ok {
		t.Error("nothing was written, but something is old")
	}
	for i, want := range []*request{a, b, signal} {
		if got := o.next(now.Add(time.Duration(i)), "u"); got != want {
			t.Errorf("next %d = %v", i, got.event.ID)
		}
	}
	if !o.remove(a) || o.remove(a) {
		t.Error("removing a twice")
	}
	if sent, ok := o.oldest(); !ok || sent != now.Add(1) {
		t.Errorf("oldest %v, %v", sent, ok)
	}
	if lost := o.rewind(); !slices.Equal(lost, []*request{signal}) || !b.sentAt.IsZero() {
		t.Errorf("rewind lost %v, b written at %v", lost, b.sentAt)
	}
	if got := []*request{o.next(now, "u"), o.next(now, "u"), o.next(now, "u")}; !slices.Equal(got, []*request{b, d, nil}) {
		t.Errorf("after rewind: %v", got)
	}
	if left := o.drain(); !slices.Equal(left, []*request{b, d}) || o.next(now, "u") != nil || o.byID["b"] != nil {
		t.Errorf("drain = %v", left)
	}
}

func TestTracker(t *testing.T) {
	joined := func(epoch string, seq uint64, recovered bool) wire.RoomJoined {
		return wire.RoomJoined{Epoch: epoch, Seq: seq, Recovered: recovered}
	}
	tests := []struct {
		name   string
		second wire.RoomJoined
		want   wire.Position
		gap    bool
	}{
		{"recovered", joined("e", 10, true), wire.Position{Epoch: "e", Seq: 10}, false},
		{"a hole at the end", joined("e", 10, false), wire.Position{Epoch: "e", Seq: 10}, true},
		{"missed", joined("e", 99, false), wire.Position{Epoch: "e", Seq: 99}, true},
		{"rolled back", joined("e", 3, false), wire.Position{Epoch: "e", Seq: 3}, true},
		{"never back by what is recovered", joined("e", 3, true), wire.Position{Epoch: "e", Seq: 10}, false},
		{"new epoch", joined("f", 3, false), wire.Position{Epoch: "f", Seq: 3}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker("")
			if _, gap := tr.join("a", joined("e", 10, false), joinCause{}); gap {
				t.Error("the first join is a gap")
			}
			_, gap := tr.join("a", tt.second, joinCause{})
			if gap != tt.gap || tr.joined["a"] != tt.want || tr.current != "a" {
				t.Errorf("gap %v, position %+v, current %q", gap, tr.joined["a"], tr.current)
			}
		})
	}
}

func TestTrackerSees(t *testing.T) {
	tr := newTracker("a")
	tr.join("a", wire.RoomJoined{Epoch: "e", Seq: 10}, joinCause{})
	for _, tt := range []struct {
		ev   wire.Event
		want bool
	}{
		{wire.Event{Type: "x", Room: "a", Seq: 10}, false},
		{wire.Event{Type: "x", Room: "a", Seq: 11}, true},
		{wire.Event{Type: "x", Room: "a", Seq: 11}, false},
		{wire.Event{Type: wire.TypeAck, Room: "a", Seq: 50}, true},
		{wire.Event{Type: "x", Room: "a", Seq: 12}, true},
		{wire.Event{Type: wire.TypePresence, Room: "a"}, true},
		{wire.Event{Type: "x", Room: "other", Seq: 1}, true},
		{wire.Event{Type: "x", Room: "other", Seq: 1}, true},
	} {
		if got := tr.see(tt.ev); got != tt.want {
			t.Errorf("%+v: fresh %v, want %v", tt.ev, got, tt.want)
		}
	}
	if tr.leave("a"); tr.resume() != nil || tr.current != "" {
		t.Errorf("after leaving: %v, current %q", tr.resume(), tr.current)
	}
}

func TestConfigMistakesAreNamed(t *testing.T) {
	for want, cfg := range map[string]Config{
		"URL":              {URL: "http://localhost:3000/ws"},
		"no WebSocket":     {},
		"Room":             {URL: "ws://localhost/ws", Room: "a\nb"},
		"HandshakeTimeout": {URL: "ws://localhost/ws", HandshakeTimeout: -1},
		"Outbox":           {URL: "ws://localhost/ws", Outbox: -1},
	} {
		if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for ws, want := range map[string]string{
		"ws://localhost:3000/ws":       "http://localhost:3000/login",
		"wss://example.com/chat/ws?x=": "https://example.com/chat/login",
		"ws://localhost:3000":          "http://localhost:3000/login",
	} {
		if got := loginAddress(ws); got != want {
			t.Errorf("login of %s is %s, want %s", ws, got, want)
		}
	}
	c := &Client{cfg: Config{URL: "ws://h/ws?a=1"}}
	got := c.address(url.Values{"resume": {"百 家:e:1,b:e:2"}})
	if want := "ws://h/ws?a=1&resume=%E7%99%BE+%E5%AE%B6%3Ae%3A1%2Cb%3Ae%3A2"; got != want {
		t.Errorf("address %s, want %s", got, want)
	}
}

func TestFinalErrors(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("connection lost"):                         false,
		finalError{errors.New("x")}:                           true,
		fmt.Errorf("connect: %w", &RefusedError{Status: 403}): true,
		&RefusedError{Status: 400}:                            true,
		&RefusedError{Status: 429}:                            false,
		&RefusedError{Status: 503}:                            false,
		&RefusedError{Status: 502}:                            false,
		&ClosedError{Code: wire.CloseAbnormal}:                false,
		&ClosedError{Code: wire.CloseProtocolErrors}:          true,
	} {
		if isFinal(err) != want {
			t.Errorf("%v: final %v", err, !want)
		}
	}
}
