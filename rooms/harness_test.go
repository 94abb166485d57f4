package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// startServer starts NATS on a port of its own and a directory of the test.
func startServer(t testing.TB) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// startEngine starts an engine that looks for lost copies often.
func startEngine(t testing.TB, conn rooms.Connector, change func(*rooms.Config)) *rooms.Engine {
	t.Helper()
	cfg := rooms.DefaultConfig()
	cfg.CheckEvery(50 * time.Millisecond)
	cfg.GateReads()
	cfg.OpenTimeout(patience)                                    // a busy machine is no log out of reach
	cfg.PublishTimes(3*patience, patience, 100*time.Millisecond) // what has no id is given up after one attempt
	if change != nil {
		change(&cfg)
	}
	eng, err := rooms.New(t.Context(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEngine(t, eng) })
	return eng
}

// start is one engine on a server of its own.
func start(t testing.TB, change func(*rooms.Config)) (*rooms.Engine, *embedded.Server) {
	t.Helper()
	srv := startServer(t)
	return startEngine(t, srv, change), srv
}

func closeEngine(t testing.TB, eng *rooms.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := eng.Close(ctx); err != nil {
		t.Error("close:", err)
	}
}

// outsider is a NATS client over TCP, as `nats pub` is.
func outsider(t testing.TB, srv *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(srv.URL(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// inject publishes without asking for an ack; what follows on nc comes later.
func inject(t testing.TB, nc *nats.Conn, subject, body string, headers ...string) {
	t.Helper()
	msg := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		msg.Header[headers[i]] = append(msg.Header[headers[i]], headers[i+1])
	}
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// within gives one call of the engine the time that a test waits.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// note is an event of the tests, told apart by its payload.
func note(n int) wire.Event {
	return wire.Event{Type: "note", Payload: json.RawMessage(fmt.Sprint(n))}
}

// publishOne stores an event as a service's, and waits for the ack.
func publishOne(ctx context.Context, eng *rooms.Engine, room wire.Room, id string, ev wire.Event) (rooms.PubAck, error) {
	body, err := wire.NewBody(ev)
	if err != nil {
		return rooms.PubAck{}, err
	}
	return eng.Publish(ctx, room, body, rooms.PublishOptions{ID: id})
}

// publishAsync is publishOne that does not wait.
func publishAsync(t testing.TB, eng *rooms.Engine, room wire.Room, id string, ev wire.Event, done func(rooms.PubAck, error)) {
	t.Helper()
	body, err := wire.NewBody(ev)
	if err != nil {
		t.Fatal(err)
	}
	eng.PublishAsync(room, body, rooms.PublishOptions{ID: id}, done)
}

// publish stores the notes from up to, without to, and returns their sequences.
func publish(t testing.TB, eng *rooms.Engine, room wire.Room, from, to int) []uint64 {
	t.Helper()
	seqs := make([]uint64, to-from)
	errs := make([]error, to-from)
	var all sync.WaitGroup
	for i := range seqs {
		all.Add(1)
		publishAsync(t, eng, room, "", note(from+i), func(s rooms.PubAck, err error) {
			seqs[i], errs[i] = s.Seq, err
			all.Done()
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return seqs
}

// join makes a new member of the room.
func join(t testing.TB, eng *rooms.Engine, room wire.Room, id string, since rooms.Since) *member {
	t.Helper()
	m := newMember(id)
	if err := eng.Join(within(t), room, m, "j", since); err != nil {
		t.Fatalf("%s joins %s: %v", id, room, err)
	}
	return m
}

// from asks for what comes after seq.
func from(eng *rooms.Engine, seq uint64) rooms.Since {
	return rooms.Since{Position: &wire.Position{Epoch: eng.Epoch(), Seq: seq}}
}

// fromOf is from for any room, an inbox too.
func fromOf(eng *rooms.Engine, room wire.Room, seq uint64) rooms.Since {
	return rooms.Since{Position: &wire.Position{Epoch: eng.EpochOf(room), Seq: seq}}
}

// undisturbed rooms are woken by the test alone: neither presence nor a check
// comes in between.
func undisturbed(c *rooms.Config) {
	c.PresenceInterval = time.Hour
	c.CheckEvery(noCheck)
	c.CheckAfterOpen(noCheck)
}

// standStill holds a room in a delivery to m, one of its members: what comes
// now waits in its mailbox.
func standStill(t testing.TB, eng *rooms.Engine, room wire.Room, m *member) (release func()) {
	t.Helper()
	release = m.hold()
	if err := eng.Signal(room, wire.Event{Type: wire.TypeSignal}, rooms.SignalOptions{}); err != nil {
		t.Fatal(err)
	}
	// It may be something else that the room delivers first, with the signal behind.
	eventually(t, "the room stands still", func() bool { return m.waiting.Load() > 0 })
	return release
}

// eventually waits for what no member hears of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}
