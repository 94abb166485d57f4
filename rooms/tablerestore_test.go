package rooms_test

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// backup is what `nats stream backup` keeps of a stream.
type backup struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	chunks [][]byte
}

// askJetStream asks the API and reads what it answers, which may be an error.
func askJetStream(t testing.TB, nc *nats.Conn, subject string, data []byte, answer any) {
	t.Helper()
	msg, err := nc.RequestWithContext(within(t), subject, data)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var failed struct {
		Error *jetstream.APIError `json:"error"`
	}
	if len(msg.Data) > 0 {
		err = json.Unmarshal(msg.Data, &failed)
	}
	if err == nil && failed.Error != nil {
		err = failed.Error
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(msg.Data, answer)
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
}

// backUp does what `nats stream backup` does: nats.go has no call for it.
func backUp(t testing.TB, nc *nats.Conn, stream string) (b backup) {
	t.Helper()
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	askJetStream(t, nc, "$JS.API.STREAM.SNAPSHOT."+stream, []byte(`{"deliver_subject":"`+inbox+`"}`), &b)
	for {
		msg, err := sub.NextMsgWithContext(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if status := msg.Header.Get("Status"); status != "" && status != "204" {
			t.Fatalf("backup of %s: %v", stream, msg.Header)
		}
		if len(msg.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, msg.Data)
		if msg.Reply != "" {
			if err := msg.Respond(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// putBack does what `nats stream restore` does, after the stream was deleted.
func (b backup) putBack(t testing.TB, nc *nats.Conn, stream string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(within(t), stream); err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	askJetStream(t, nc, "$JS.API.STREAM.RESTORE."+stream, request, &to)
	for _, chunk := range append(b.chunks, nil) {
		askJetStream(t, nc, to.Subject, chunk, nil)
	}
}

// TestStreamRestored: a table that has dropped steps goes on as it was when what
// `nats stream backup` keeps is put back; the streams have other epochs then.
func TestStreamRestored(t *testing.T) {
	const room, history = "tally-1", 100
	srv := startServer(t)
	nc := outsider(t, srv)
	small := func(c *rooms.Config) { watchful("one")(c); c.History, c.TableHistory = history/8, history }
	eng := startEngine(t, srv, small)
	steps := streamOf(t, nc, eventlog.StepsStream)
	sum := 0
	eventually(t, "old steps are dropped", func() bool {
		for range 50 {
			sum++
			addPlain(t, eng, room, sum)
		}
		return countOf(t, steps, "room.tally-1.step") < uint64(sum)/2
	})
	injectAdds(t, nc, room, 3, 1000)
	sum += 3000
	awaitSum(t, eng, room, sum)
	epochs := [2]string{eng.Epoch(), eng.EpochOf(room)}
	closeEngine(t, eng)

	streams := []string{eventlog.SnapshotsStream, eventlog.StepsStream, eventlog.RoomsStream, "KV_" + rooms.TableBucket}
	kept := map[string]backup{}
	for _, name := range streams {
		kept[name] = backUp(t, nc, name)
	}
	for name, b := range kept {
		b.putBack(t, nc, name)
	}
	again := startEngine(t, srv, func(c *rooms.Config) { small(c); c.Node = "again" })
	if again.Epoch() == epochs[0] || again.EpochOf(room) == epochs[1] {
		t.Errorf("the epochs are still %v: this test shows nothing", epochs)
	}
	awaitSum(t, again, room, sum)
	injectAdds(t, nc, room, 1, 10000)
	awaitSum(t, again, room, sum+10000)
	if n := again.TableStats().SnapshotsDamaged.Load(); n != 0 {
		t.Errorf("%d snapshots were not used", n)
	}
	closeEngine(t, again)
	stays(t, srv, nc, room, sum+10000)
}
