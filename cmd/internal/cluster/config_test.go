//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What a person types: secrets.sh, then each server's .env.
func TestTheConfigurationsOfTheReadmeAreValid(t *testing.T) {
	server := natsProgram(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../../testdata/cluster")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		script := `sh secrets.sh > secrets.env; set -ae; . ./secrets.env; . ./` + name + `.env; exec "$0" -c server.conf -t`
		cmd := exec.Command("sh", "-c", script, server)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	secrets, err := os.ReadFile(filepath.Join(dir, "secrets.env"))
	if err != nil || strings.Count(string(secrets), "_PASSWORD=p") != 7 {
		t.Errorf("secrets.sh printed %v:\n%s", err, secrets)
	}
}

// openRooms makes streams as roomd does, as a node.
func openRooms(t *testing.T, c *natsCluster) *nats.Conn {
	t.Helper()
	nc := c.connect(c.url("node"), nil)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, captured := range map[string]string{"ROOMS": "room.*.event", "INBOX": "inbox.*.event", "STEPS": "room.*.step"} {
		word, _, _ := strings.Cut(captured, ".")
		// A server that is healthy may still think that the others are away.
		eventually(t, "the servers make the stream "+name, time.Minute, func(ctx context.Context) error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{captured}, Replicas: 3, AllowDirect: true,
				RePublish: &jetstream.RePublish{Source: captured, Destination: word + ".{{wildcard(1)}}.log"}})
			return err
		})
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "roomd_keys", Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestPermissions(t *testing.T) {
	c := startNATS(t)
	node := openRooms(t, c)
	if _, err := node.QueueSubscribe("room.*.label", "roomd", func(m *nats.Msg) { _ = m.Respond(append([]byte("set "), m.Data...)) }); err != nil {
		t.Fatal(err)
	}
	if _, err := node.QueueSubscribe("room.*.command", "roomd", func(m *nats.Msg) { _ = m.Respond(append([]byte("decided "), m.Data...)) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.servers { // the stream's leader is one of them only
		service, denied := c.client("service", s)
		watcher, refused := c.client("watcher", s)
		log, err := watcher.SubscribeSync("room.*.log")
		if err != nil {
			t.Fatal(err)
		}
		if err := watcher.Flush(); err != nil {
			t.Fatal(err)
		}

		// A service publishes an event and gets the ack; a watcher hears it.
		body := `{"type":"new_message","payload":{"message":"at ` + s.name + `"}}`
		var ack *nats.Msg
		eventually(t, "a service at "+s.name+" gets an ack", time.Minute, func(ctx context.Context) error {
			ack, err = service.RequestWithContext(ctx, "room.general.event", []byte(body))
			return err
		})
		var stored struct {
			Seq   uint64
			Error any
		}
		if err := json.Unmarshal(ack.Data, &stored); err != nil || stored.Seq == 0 || stored.Error != nil {
			t.Errorf("the ack at %s is %s", s.name, ack.Data)
		}
		heard, err := log.NextMsg(time.Minute)
		if err != nil || string(heard.Data) != body || heard.Subject != "room.general.log" || heard.Header.Get("Nats-Sequence") == "" {
			t.Errorf("a watcher at %s hears %+v, %v", s.name, heard, err)
		}

		// It sets a room's label, and a node answers.
		eventually(t, "a service at "+s.name+" sets a label", time.Minute, func(ctx context.Context) error {
			answer, err := service.RequestWithContext(ctx, "room.general.label", []byte("1"))
			if err == nil && string(answer.Data) != "set 1" {
				err = errors.New(string(answer.Data))
			}
			return err
		})

		// It has a table decide.
		eventually(t, "a service at "+s.name+" has a table decide", time.Minute, func(ctx context.Context) error {
			answer, err := service.RequestWithContext(ctx, "room.baccarat-1.command", []byte("1"))
			if err == nil && string(answer.Data) != "decided 1" {
				err = errors.New(string(answer.Data))
			}
			return err
		})

		// Nobody but the stream writes the log, nobody but nodes what tables decide,
		// and nothing else is open.
		for _, subject := range []string{"room.baccarat-1.step", "room.baccarat-1.snapshot", "roomd.table.a.baccarat-1", "$KV.roomd_busy.baccarat-1", "room.general.log", "room.general.signal", "room.general.presence", "room.a.b.event", "$JS.API.STREAM.DELETE.ROOMS",
			"$KV.roomd_keys.guest-hs256", "$JS.API.STREAM.MSG.GET.KV_roomd_keys", "_INBOX.x",
			// Of consumers it has the one that it is given, and does not make or change it.
			"rooms.js.CONSUMER.CREATE.ROOMS.take", "$JS.API.CONSUMER.INFO.ROOMS.take", "$JS.API.CONSUMER.CREATE.ROOMS.take", "$JS.API.CONSUMER.CREATE.ROOMS.take.room.general.event", "$JS.API.CONSUMER.DURABLE.CREATE.ROOMS.take", "$JS.API.CONSUMER.DELETE.ROOMS.take",
			"$JS.API.CONSUMER.PAUSE.ROOMS.take", "$JS.API.CONSUMER.NAMES.ROOMS", "rooms.js.CONSUMER.INFO.ROOMS.other", "rooms.js.CONSUMER.MSG.NEXT.ROOMS.other",
			"rooms.js.CONSUMER.MSG.NEXT.INBOX.take", "rooms.js.CONSUMER.INFO.INBOX.take", "$JS.ACK.ROOMS.other.1.1.1.1.0", "$JS.ACK.INBOX.take.1.1.1.1.0", "$JS.API.DIRECT.GET.ROOMS"} {
			mustDeny(t, "a service publishes "+subject, denied, func() error { return service.Publish(subject, []byte("{}")) })
		}
		for _, subject := range []string{"room.*.log", "room.>", "room.general.event", "room.*.step", "room.*.snapshot", "$KV.>", "$JS.EVENT.ADVISORY.>", ">"} {
			mustDeny(t, "a service subscribes to "+subject, denied, func() error { return listen(service, subject) })
		}
		for _, subject := range []string{"roomd.feed.lost", "rooms.kick", "rooms.history", "room.general.event", "room.general.label", "room.general.log", "room.baccarat-1.step", "room.baccarat-1.command", "$JS.API.STREAM.INFO.ROOMS"} {
			mustDeny(t, "a watcher publishes "+subject, refused, func() error { return watcher.Publish(subject, []byte("{}")) })
		}
		for _, subject := range []string{"room.*.event", "room.*.presence", "roomd.node", "roomd.hook.*", "roomd.>", "$KV.>", ">"} {
			mustDeny(t, "a watcher subscribes to "+subject, refused, func() error { return listen(watcher, subject) })
		}
	}
	forged := make(chan error, 100)
	all := c.connect(c.url("node"), forged)
	if err := all.Publish("room.baccarat-1.step", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	// With the nodes' user, and no other, backups are made and put back.
	for _, subject := range []string{"$JS.SNAPSHOT.ACK.ROOMS.x.1.1", "$JS.SNAPSHOT.RESTORE.ROOMS.x"} {
		mustAllow(t, "with the nodes' user one publishes "+subject, all, subject)
		for _, user := range []string{"service", "watcher", "operator", "backend"} {
			nc, denied := c.client(user, c.servers[0])
			mustDeny(t, "a "+user+" publishes "+subject, denied, func() error { return nc.Publish(subject, nil) })
		}
	}
	mustDeny(t, "a node forges the log", forged, func() error { return all.Publish("room.general.log", []byte("{}")) })

	// The inboxes of the nodes, in which keys arrive, are out of sight of
	// everybody else: each may listen to its own, and that is another world.
	for user, own := range map[string]string{"service": "room.general.event", "operator": "$JS.API.STREAM.INFO.ROOMS"} {
		spy, _ := c.client(user, c.servers[0])
		replies, err := spy.SubscribeSync("_INBOX.>")
		if err != nil {
			t.Fatal(err)
		}
		if err := spy.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Request("$JS.API.STREAM.INFO.KV_roomd_keys", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := spy.Request(own, []byte(`{"type":"x"}`), time.Minute); err != nil {
			t.Fatal(err)
		}
		if msg, err := replies.NextMsg(time.Minute); err != nil || strings.Contains(string(msg.Data), "roomd_keys") {
			t.Errorf("the first that the %s hears, which should be its own answer: %s, %v", user, msg.Data, err)
		}
	}
}

// A service takes from the consumer that it is given, whatever server it is at.
func TestAServiceTakesFromItsConsumer(t *testing.T) {
	const room = "general"
	c := startNATS(t)
	admin, err := jetstream.New(openRooms(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateConsumer(t.Context(), "ROOMS", jetstream.ConsumerConfig{
		Durable: "take", FilterSubject: wire.EventSubject(room), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1, AckWait: time.Minute,
	}); err != nil {
		t.Fatal(err)
	}
	for i, s := range c.servers { // the consumer's leader is one of them only
		nc, _ := c.client("service", s)
		js, err := jetstream.NewWithAPIPrefix(nc, "rooms.js")
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"type":"note","payload":%d}`, i)
		eventually(t, "a service at "+s.name+" gets an ack", time.Minute, func(ctx context.Context) error {
			_, err := js.Publish(ctx, wire.EventSubject(room), []byte(body), jetstream.WithMsgID(body))
			return err
		})
		consumer, err := js.Consumer(t.Context(), "ROOMS", "take")
		if err != nil {
			t.Fatalf("at %s: %v", s.name, err)
		}
		msg, err := consumer.Next(jetstream.FetchMaxWait(time.Minute))
		if err != nil {
			t.Fatalf("at %s: %v", s.name, err)
		}
		if string(msg.Data()) != body || msg.Subject() != wire.EventSubject(room) {
			t.Errorf("at %s comes %s %s, want %s", s.name, msg.Subject(), msg.Data(), body)
		}
		if err := msg.Ack(); err != nil { // without it the next one does not come
			t.Errorf("acknowledge at %s: %v", s.name, err)
		}
	}
}

// The service that hooks ask hears the questions, whatever server it is at, and
// nothing else; a node hears at once that there is none.
func TestTheBackendAnswersHooks(t *testing.T) {
	c := startNATS(t)
	node := c.connect(c.url("node"), nil)
	eventually(t, "a node hears that nobody answers", time.Minute, func(ctx context.Context) error {
		if _, err := node.RequestWithContext(ctx, "roomd.hook.join", []byte("{}")); !errors.Is(err, nats.ErrNoResponders) {
			return fmt.Errorf("it hears %w", err)
		}
		return nil
	})
	for _, s := range c.servers {
		backend, denied := c.client("backend", s)
		sub, err := backend.QueueSubscribe("roomd.hook.join", "backend", func(msg *nats.Msg) {
			if err := msg.Respond([]byte(s.name)); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the backend at "+s.name+" answers", time.Minute, func(ctx context.Context) error {
			answer, err := node.RequestWithContext(ctx, "roomd.hook.join", []byte("{}"))
			if err == nil && string(answer.Data) != s.name {
				err = fmt.Errorf("the answer is %q", answer.Data)
			}
			return err
		})
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"room.general.event", "roomd.hook.login", "_INBOX.x", "$JS.API.INFO"} {
			mustDeny(t, "the backend publishes "+subject, denied, func() error { return backend.Publish(subject, []byte("{}")) })
		}
		for _, subject := range []string{"room.*.log", "roomd.>", "inbox.>", "$KV.>", ">"} {
			mustDeny(t, "the backend subscribes to "+subject, denied, func() error { return listen(backend, subject) })
		}
		spy, refused := c.client("service", s)
		mustDeny(t, "a service listens to hooks", refused, func() error { return listen(spy, "roomd.hook.*") })
	}
}

// TestNobodyButTheNodesReadsInboxes: neither by subject, nor by the API of
// JetStream, nor in what NATS tells of itself. A service may write to them.
func TestNobodyButTheNodesReadsInboxes(t *testing.T) {
	c := startNATS(t)
	node := openRooms(t, c)
	const secret = "for alice only"
	service, _ := c.client("service", c.servers[0])
	eventually(t, "a service gets an ack", time.Minute, func(ctx context.Context) error {
		ack, err := service.RequestWithContext(ctx, "inbox.alice.event", []byte(`{"type":"note","payload":"`+secret+`"}`))
		if err == nil && !strings.Contains(string(ack.Data), `"seq":`) {
			err = errors.New(string(ack.Data))
		}
		return err
	})
	for _, user := range []string{"service", "watcher", "operator"} {
		nc, denied := c.client(user, c.servers[0])
		for _, subject := range []string{"inbox.>", "inbox.*.log", "inbox.*.rejected", "inbox.alice.event", "inbox.alice.log"} {
			mustDeny(t, "a "+user+" subscribes to "+subject, denied, func() error { return listen(nc, subject) })
		}
		for _, subject := range []string{"$JS.API.STREAM.MSG.GET.INBOX", "$JS.API.DIRECT.GET.INBOX", "$JS.API.DIRECT.GET.INBOX.inbox.alice.event",
			"$JS.API.CONSUMER.CREATE.INBOX", "$JS.API.CONSUMER.CREATE.INBOX.c", "$JS.API.STREAM.CREATE.MIRROR", "$JS.API.STREAM.UPDATE.INBOX", "inbox.alice.log"} {
			mustDeny(t, "a "+user+" publishes "+subject, denied, func() error { return nc.Publish(subject, []byte(`{"last_by_subj":"inbox.alice.event"}`)) })
		}
	}

	// All that an operator may hear, while nodes write and read inboxes.
	operator, _ := c.client("operator", c.servers[0])
	heard := make(chan *nats.Msg, 1000)
	for _, subject := range []string{"room.>", "_INBOX.>", "$JS.EVENT.ADVISORY.>"} {
		if _, err := operator.ChanSubscribe(subject, heard); err != nil {
			t.Fatal(err)
		}
	}
	if err := operator.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, get := range []struct{ subject, body string }{
		{"inbox.alice.event", `{"type":"note","payload":"` + secret + `"}`},
		{"$JS.API.STREAM.MSG.GET.INBOX", `{"last_by_subj":"inbox.alice.event"}`},
		{"$JS.API.DIRECT.GET.INBOX", `{"last_by_subj":"inbox.alice.event"}`},
		{"$JS.API.STREAM.INFO.INBOX", ``}, // NATS tells operators of this one
	} {
		eventually(t, get.subject+" is answered", time.Minute, func(ctx context.Context) error { // another server may hear of who answers later
			_, err := node.RequestWithContext(ctx, get.subject, []byte(get.body))
			return err
		})
	}
	for end := time.After(time.Minute); ; {
		select {
		case msg := <-heard:
			if strings.Contains(string(msg.Data), secret) {
				t.Fatalf("the operator hears %s: %s", msg.Subject, msg.Data)
			}
			if strings.Contains(string(msg.Data), "$JS.API.STREAM.INFO.INBOX") {
				return
			}
		case <-end:
			t.Fatal("the operator does not hear what is the last: the test shows nothing")
		}
	}
}

// client connects as a user to one server.
func (c *natsCluster) client(user string, s *natsServer) (*nats.Conn, chan error) {
	c.t.Helper()
	errs := make(chan error, 100)
	return c.connect(c.urlAt(user, s.port), errs), errs
}

func listen(nc *nats.Conn, subject string) error {
	_, err := nc.SubscribeSync(subject)
	return err
}

// mustAllow publishes what the server, which answers in order, must not refuse.
func mustAllow(t *testing.T, what string, nc *nats.Conn, subject string) {
	t.Helper()
	if err := errors.Join(nc.Publish(subject, nil), nc.FlushTimeout(time.Minute)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := nc.LastError(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// mustDeny does what is forbidden and waits for the server's word.
func mustDeny(t *testing.T, what string, errs chan error, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	select {
	case err := <-errs:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s, and nobody minds", what)
	}
}
