package eventlog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// steps opens a log of steps, and what appends to it.
func steps(t *testing.T) (a *Appender, srv *embedded.Server, nc *nats.Conn) {
	t.Helper()
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() }) // again where the test has closed it: nothing
	if nc, err = srv.Connect("test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := Open(within(t), nc, Config{Space: wire.SpaceTables, HistoryBytes: 1 << 28}); err != nil {
		t.Fatal(err)
	}
	if a, err = NewAppender(nc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, srv, nc
}

// Each step goes behind the one that it names, and nowhere else.
func TestAppender(t *testing.T) {
	a, _, _ := steps(t)
	last := map[wire.Room]uint64{}
	for i := range 20 {
		room := wire.Room(fmt.Sprint("t-", i%2))
		seq, err := a.AppendStep(within(t), room, fmt.Appendf(nil, "step %d", i), "by", last[room])
		if err != nil || seq <= last[room] {
			t.Fatalf("step %d is at %d: %v", i, seq, err)
		}
		last[room] = seq
	}
	for _, prev := range []uint64{0, last["t-0"] - 1, last["t-1"], last["t-1"] + 10} {
		var wrong *WrongLastError
		if seq, err := a.AppendStep(within(t), "t-0", []byte("wrong"), "by", prev); !errors.As(err, &wrong) || wrong.Last != last["t-0"] {
			t.Errorf("behind %d: %d, %v; the last is %d", prev, seq, err, last["t-0"])
		}
	}
	if _, err := a.AppendStep(within(t), "t-0", make([]byte, MaxStepBytes+1), "by", last["t-0"]); err == nil {
		t.Error("a step that is too large was taken")
	}
}

// What has no answer ends: when it is given up on, in time, and with the appender.
func TestAppenderWithoutAnswer(t *testing.T) {
	a, srv, nc := steps(t)
	a.wait = 200 * time.Millisecond
	silent, err := nc.SubscribeSync("nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Unsubscribe() }()
	pending := func() chan error {
		answer := make(chan error, 2)
		a.mu.Lock()
		a.next++
		token := a.next
		a.pending[token] = pendingAppend{time.Now(), func(_ uint64, err error) { answer <- err }}
		a.timer.Reset(a.wait / sweepsPerWait)
		a.mu.Unlock()
		if err := a.publish("nowhere", token, []byte("step"), "by", 0); err != nil { // nobody but silent hears it
			t.Fatal(err)
		}
		return answer
	}
	await := func(what string, answer chan error) {
		t.Helper()
		select {
		case err := <-answer:
			if !errors.Is(err, ErrNoAck) {
				t.Errorf("%s: %v", what, err)
			}
		case <-within(t).Done():
			t.Fatalf("%s: no answer", what)
		}
	}
	await("in time", pending())
	given := pending()
	a.GiveUp()
	await("given up on", given)
	last := pending()
	a.Close()
	await("closed", last)
	if _, err := a.AppendStep(within(t), "t", []byte("late"), "by", 0); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("after its end: %v", err)
	}
	if len(given)+len(last) > 0 {
		t.Error("an append was answered twice")
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
}

// Without NATS an append fails at once, or when it was sent, in time.
func TestAppenderWithoutNATS(t *testing.T) {
	a, srv, nc := steps(t)
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if seq, err := a.AppendStep(within(t), "t", []byte("step"), "by", 0); err == nil {
		t.Errorf("it was stored at %d", seq)
	}
}
