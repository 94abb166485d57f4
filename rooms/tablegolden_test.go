package rooms_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

var update = flag.Bool("update", false, "write a table as the present build stores it")

// storedTable is a table as a build has stored it under the secret goldenSecret:
// sealed, signed and packed.
type storedTable struct {
	Steps    []storedMessage `json:"steps"`
	Snapshot storedMessage   `json:"snapshot"`
	State    tallied         `json:"state"`
}

type storedMessage struct {
	Header string `json:"header"` // Roomd-By of a step, Roomd-Snapshot of a snapshot
	Body   []byte `json:"body"`
}

const (
	goldenTable   = "testdata/table-v1.json"
	hdrSnapshot   = "Roomd-Snapshot"
	goldenTableAs = wire.Room("tally-1")
)

func goldenSecret(c *rooms.Config) {
	tallies(sums{})(c)
	c.Secret = bytes.Repeat([]byte{7}, rooms.SecretBytes)
}

// TestStoredTables: a table that an earlier build has stored, its steps and its
// snapshot, is read as what it was. A change that fails this needs code that reads
// both, and a file of its own.
func TestStoredTables(t *testing.T) {
	if *update {
		writeStoredTable(t)
	}
	data, err := os.ReadFile(goldenTable)
	if err != nil {
		t.Fatal(err)
	}
	var g storedTable
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	eng, srv := start(t, goldenSecret)
	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	put := func(subject, header string, m storedMessage) {
		t.Helper()
		if _, err := js.PublishMsg(within(t), &nats.Msg{Subject: subject, Data: m.Body, Header: nats.Header{header: {m.Header}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range g.Steps {
		put(wire.SpaceTables.Capture(goldenTableAs), eventlog.HeaderBy, step)
	}
	last := len(g.Steps)
	if s := tallyOf(t, eng, goldenTableAs); s != g.State || eng.TableStats().StepsRead.Load() != int64(last) {
		t.Errorf("its %d steps are read as %+v, want %+v", eng.TableStats().StepsRead.Load(), s, g.State)
	}
	put(wire.SnapshotSubject(goldenTableAs), hdrSnapshot, g.Snapshot)

	list, err := eng.Snapshots().Last(within(t), goldenTableAs)
	if err != nil || len(list) != 1 {
		t.Fatal(len(list), err)
	}
	info, snapshot, err := eng.Snapshots().Read(within(t), goldenTableAs, list[0])
	if err != nil || info.Step != uint64(last) || info.Count != uint64(last) || info.Sum != eventlog.Sum(g.Steps[last-1].Body) || info.Epoch == "" || len(info.Marks) == 0 {
		t.Fatalf("the snapshot is read as %+v (%v)", info, err)
	}
	log := table.NewLog(table.Of(sums{}), "n", 0)
	if err := log.Restore(snapshot); err != nil || log.Last() != uint64(last) {
		t.Fatalf("it is restored up to step %d: %v", log.Last(), err)
	}
	var restored tallied
	if view, err := log.View(""); err != nil || json.Unmarshal(view, &restored) != nil || restored != g.State {
		t.Errorf("it is restored as %s, want %+v (%v)", view, g.State, err)
	}
}

// writeStoredTable has a table decide, and refuse, and be written down.
func writeStoredTable(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) { goldenSecret(c); c.IdleAfter = time.Second })
	if _, err := command(t, eng, goldenTableAs, "a", aService, "add", "40"); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, eng, goldenTableAs, "b", table.User{From: table.FromUser, UID: "ann"}, "none", ""); err == nil {
		t.Fatal("it was not refused") // its reason is sealed
	}
	add(t, eng, goldenTableAs, 2)
	eventually(t, "it is written down", func() bool { return eng.TableStats().Snapshots.Load() == 1 })
	nc := outsider(t, srv)
	g := storedTable{State: tallyOf(t, eng, goldenTableAs)}
	for _, msg := range messagesOf(t, nc, eventlog.StepsStream) {
		g.Steps = append(g.Steps, storedMessage{msg.Header.Get(eventlog.HeaderBy), msg.Data})
	}
	msg, err := streamOf(t, nc, eventlog.SnapshotsStream).GetLastMsgForSubject(within(t), wire.SnapshotSubject(goldenTableAs))
	if err != nil {
		t.Fatal(err)
	}
	g.Snapshot = storedMessage{msg.Header.Get(hdrSnapshot), msg.Data}
	data, err := json.MarshalIndent(g, "", " ")
	if err == nil {
		err = os.WriteFile(goldenTable, append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
