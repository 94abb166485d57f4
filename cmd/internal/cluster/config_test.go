//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
	if err != nil || strings.Count(string(secrets), "_PASSWORD=p") != 6 {
		t.Errorf("secrets.sh printed %v:\n%s", err, secrets)
	}
}

// openRooms makes a stream as roomd does, as a node.
func openRooms(t *testing.T, c *natsCluster) *nats.Conn {
	t.Helper()
	nc := c.connect(c.url("node"), nil)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ROOMS", Subjects: []string{"room.*.event"}, Replicas: 3, AllowDirect: true,
		RePublish: &jetstream.RePublish{Source: "room.*.event", Destination: "room.{{wildcard(1)}}.log"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "roomd_keys", Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestPermissions(t *testing.T) {
	c := startNATS(t)
	node := openRooms(t, c)
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
		eventually(t, "a service at "+s.name+" gets an ack", 20*time.Second, func(ctx context.Context) error {
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
		heard, err := log.NextMsg(20 * time.Second)
		if err != nil || string(heard.Data) != body || heard.Subject != "room.general.log" || heard.Header.Get("Nats-Sequence") == "" {
			t.Errorf("a watcher at %s hears %+v, %v", s.name, heard, err)
		}

		// Nobody but the stream writes the log, and nothing else is open.
		for _, subject := range []string{"room.general.log", "room.general.signal", "room.general.presence", "room.a.b.event", "$JS.API.STREAM.DELETE.ROOMS",
			"$KV.roomd_keys.guest-hs256", "$JS.API.STREAM.MSG.GET.KV_roomd_keys", "_INBOX.x"} {
			mustDeny(t, "a service publishes "+subject, denied, func() error { return service.Publish(subject, []byte("{}")) })
		}
		for _, subject := range []string{"room.*.log", "room.>", "room.general.event", "$KV.>", "$JS.EVENT.ADVISORY.>", ">"} {
			mustDeny(t, "a service subscribes to "+subject, denied, func() error { return listen(service, subject) })
		}
		for _, subject := range []string{"room.general.event", "room.general.log", "$JS.API.STREAM.INFO.ROOMS"} {
			mustDeny(t, "a watcher publishes "+subject, refused, func() error { return watcher.Publish(subject, []byte("{}")) })
		}
		for _, subject := range []string{"room.*.event", "room.*.presence", "_INBOX.>", "$KV.>", ">"} {
			mustDeny(t, "a watcher subscribes to "+subject, refused, func() error { return listen(watcher, subject) })
		}
	}
	forged := make(chan error, 100)
	all := c.connect(c.url("node"), forged)
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
		if _, err := node.Request("$JS.API.STREAM.INFO.KV_roomd_keys", nil, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := spy.Request(own, []byte(`{"type":"x"}`), 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if msg, err := replies.NextMsg(20 * time.Second); err != nil || strings.Contains(string(msg.Data), "roomd_keys") {
			t.Errorf("the first that the %s hears, which should be its own answer: %s, %v", user, msg.Data, err)
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
	case <-time.After(10 * time.Second):
		t.Errorf("%s, and nobody minds", what)
	}
}
