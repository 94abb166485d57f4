//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const (
	talkTables = 18
	talkEvery  = 40 * time.Millisecond
	// talkPatience is far more than a takeover may take on a machine with nothing
	// else to do: what a fault costs is printed.
	talkPatience = 15 * time.Second
)

// talk is people who say something at tables all the time, and one who reads the
// log of all tables beside them.
type talk struct {
	t     *testing.T
	nodes []*node
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu     sync.Mutex
	writer map[string]string   // by table: the node that has written its last step
	newest map[string]uint64   // by table: its last step
	by     map[uint64]string   // by step: the node that has written it
	stored map[string][]uint64 // by text: the steps that say it
	acked  map[string]uint64   // by text
	acks   []acked
	busy   int // answers that there is no room now
}

type acked struct {
	table, from   string // from: the node of the sender
	seq           uint64
	asked, answer time.Time
}

const talkPrefix = "baccarat-talk-"

func talkTable(i int) string { return fmt.Sprint(talkPrefix, i) }

// startTalk returns when every table has decided something for everybody.
func startTalk(t *testing.T, c *natsCluster, nodes []*node) *talk {
	t.Helper()
	k := &talk{t: t, nodes: nodes, writer: map[string]string{}, newest: map[string]uint64{}, by: map[uint64]string{}, stored: map[string][]uint64{}, acked: map[string]uint64{}}
	k.listen(c)
	ctx, cancel := context.WithCancel(t.Context())
	k.stop = cancel
	t.Cleanup(func() { cancel(); k.work.Wait() })
	for i := range talkTables {
		k.talkAt(ctx, nodes[0], i)
		if i < talkTables/3 {
			k.talkAt(ctx, nodes[1], i)
		}
	}
	k.flowing()
	k.shares()
	return k
}

// talkAt has somebody on a node talk at a table until ctx ends.
func (k *talk) talkAt(ctx context.Context, x *node, i int) {
	k.t.Helper()
	uid, table := fmt.Sprint(x.name, "-", i), talkTable(i)
	c, err := client.Dial(ctx, client.Config{URL: x.ws(), Room: table, Token: token(uid), Rate: 1000, MinBackoff: 50 * time.Millisecond, MaxBackoff: 500 * time.Millisecond})
	if err != nil {
		k.t.Fatal(err)
	}
	k.work.Go(func() {
		defer c.Close()
		tick := time.NewTicker(talkEvery)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			k.say(ctx, c, x.name, table, fmt.Sprint(uid, "-", n))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

// say sends one text until it is acknowledged.
func (k *talk) say(ctx context.Context, c *client.Client, from, table, text string) {
	payload, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		k.t.Error(err)
		return
	}
	asked := time.Now()
	for ctx.Err() == nil {
		ack, err := c.Send(ctx, wire.Event{Type: wire.TypeSendMessage, ID: text, Room: table, Payload: payload})
		if err == nil {
			k.mu.Lock()
			k.acked[text] = ack.Seq
			k.acks = append(k.acks, acked{table, from, ack.Seq, asked, time.Now()})
			k.mu.Unlock()
			return
		}
		var refused *wire.Error
		if errors.As(err, &refused) && refused.Code == wire.Busy {
			k.mu.Lock()
			k.busy++
			k.mu.Unlock()
		}
		if ctx.Err() == nil && (!errors.As(err, &refused) || !refused.Code.Retryable()) {
			k.t.Errorf("%s: %v", text, err)
			return
		}
		select {
		case <-time.After(talkEvery):
		case <-ctx.Done():
		}
	}
}

// listen reads the log twice: its live copies, which may be lost with a server, and
// the stream, from which steps may be dropped before they are read.
func (k *talk) listen(c *natsCluster) {
	k.t.Helper()
	nc := c.connect(c.url("node"), nil)
	_, err := nc.Subscribe("room.*.log", func(msg *nats.Msg) {
		at, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
		if msg.Header.Get("Nats-Stream") == "STEPS" {
			k.read(msg.Subject, at, msg.Data, err)
		}
	})
	if err != nil {
		k.t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		k.t.Fatal(err)
	}
	var log jetstream.Consumer
	eventually(k.t, "the log of tables is read", time.Minute, func(ctx context.Context) (err error) { // what is sent while it has no leader is never answered
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		log, err = js.OrderedConsumer(ctx, "STEPS", jetstream.OrderedConsumerConfig{})
		return err
	})
	reading, err := log.Consume(func(msg jetstream.Msg) {
		at, err := msg.Metadata()
		if err != nil {
			at = &jetstream.MsgMetadata{}
		}
		k.read(msg.Subject(), at.Sequence.Stream, msg.Data(), err)
	}, jetstream.PullExpiry(2*time.Second), jetstream.PullHeartbeat(500*time.Millisecond))
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { reading.Stop(); <-reading.Closed() })
}

// read takes a step; it may come a second time, and late.
func (k *talk) read(subject string, seq uint64, text []byte, err error) {
	var step struct {
		Node   string
		Events []struct {
			Type    string
			Payload struct{ Message string }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &step)
	}
	if err != nil {
		k.t.Errorf("a step that cannot be read: %v", err)
		return
	}
	_, table, _ := wire.SubjectToken(subject)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by[seq] != "" || !strings.HasPrefix(table, talkPrefix) {
		return
	}
	k.by[seq] = step.Node
	if seq > k.newest[table] {
		k.newest[table], k.writer[table] = seq, step.Node
	}
	for _, ev := range step.Events {
		if ev.Type == wire.TypeNewMessage {
			k.stored[ev.Payload.Message] = append(k.stored[ev.Payload.Message], seq)
		}
	}
}

// flowing waits until every talker has got an answer to something said from now on.
func (k *talk) flowing() { k.t.Helper(); k.flowingAt(k.nodes[:2]...) }

// flowingAt is flowing for the talkers on some nodes.
func (k *talk) flowingAt(nodes ...*node) {
	k.t.Helper()
	want := talkTables
	if len(nodes) > 1 {
		want += talkTables / 3
	}
	since := time.Now()
	eventually(k.t, "every talker is answered", time.Minute, func(context.Context) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		answered := map[string]bool{}
		for _, a := range k.acks {
			if a.asked.After(since) && slices.ContainsFunc(nodes, func(x *node) bool { return x.name == a.from }) {
				answered[a.table+" "+a.from] = true
			}
		}
		if len(answered) < want {
			return fmt.Errorf("%d of %d are", len(answered), want)
		}
		return nil
	})
}

// ownedBy are the tables whose last step a node has written.
func (k *talk) ownedBy(x *node) (tables []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for table, node := range k.writer {
		if node == x.name {
			tables = append(tables, table)
		}
	}
	slices.Sort(tables)
	return tables
}

// shares waits until every table is decided for by the node whose turn it is when
// all of them live: a fault befalls those of its node, and no others.
func (k *talk) shares() {
	k.t.Helper()
	var names []string
	for _, x := range k.nodes {
		names = append(names, x.name)
	}
	eventually(k.t, "every node has its share", time.Minute, func(context.Context) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		for i := range talkTables {
			table := talkTable(i)
			if has, want := k.writer[table], rooms.TableOwner(wire.Room(table), names); has != want {
				return fmt.Errorf("%s decides for %s, and it is the turn of %s", has, table, want)
			}
		}
		return nil
	})
}

// pauses are how long after a fault of x others decided at the tables that were
// its own, as those on the first node saw it.
func (k *talk) pauses(x *node, at time.Time, tables []string) (list []time.Duration) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	first := map[string]time.Duration{}
	for _, a := range k.acks {
		if d := a.answer.Sub(at); d > 0 && a.from == k.nodes[0].name && k.by[a.seq] != x.name && (first[a.table] == 0 || d < first[a.table]) {
			first[a.table] = d
		}
	}
	for _, table := range tables {
		if first[table] == 0 {
			k.t.Errorf("%s has decided nothing since the fault", table)
			continue
		}
		list = append(list, first[table])
	}
	slices.Sort(list)
	return list
}

// longest is the longest wait for an answer of those on a node, since.
func (k *talk) longest(x *node, since time.Time) (longest time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.acks {
		if a.from == x.name && a.answer.After(since) {
			longest = max(longest, a.answer.Sub(a.asked))
		}
	}
	return longest
}

// report prints pauses and bounds them.
func (k *talk) report(what string, list []time.Duration) {
	k.t.Helper()
	if len(list) == 0 {
		k.t.Errorf("%s: no table was concerned", what)
		return
	}
	k.t.Logf("%s: %d tables decided again after %v (median), %v at most", what, len(list), list[len(list)/2].Round(time.Millisecond), list[len(list)-1].Round(time.Millisecond))
	if worst := list[len(list)-1]; worst > talkPatience {
		k.t.Errorf("%s: a table decided nothing for %v", what, worst)
	}
}

// clean ends the talk: everything that was acknowledged is in the log, once, at the
// sequence of its ack.
func (k *talk) clean() {
	k.t.Helper()
	k.flowing()
	k.stop()
	k.work.Wait()
	eventually(k.t, "the log says what was acknowledged", time.Minute, func(context.Context) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		for text, seq := range k.acked {
			if len(k.stored[text]) == 0 {
				return fmt.Errorf("%q, acknowledged at %d, is not in the log", text, seq)
			}
		}
		return nil
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	for text, at := range k.stored {
		if seq, ok := k.acked[text]; len(at) > 1 || ok && at[0] != seq {
			k.t.Errorf("%q is in the log at %v, and was acknowledged at %d", text, at, seq)
		}
	}
	k.t.Logf("%d were acknowledged", len(k.acked))
}

// TestWhoDecidesIsKilled: kill -9 of the node that decides, 20 tables at the least
// in a full run. Each time it comes back it takes its share, while people talk.
func TestWhoDecidesIsKilled(t *testing.T) {
	most := int(faults(t, 8, 24)) // tables, not a time
	beside(t)
	c := startNATS(t)
	nodes := startNodes(t, c, 3)
	k := startTalk(t, c, nodes)
	var all []time.Duration
	for i := 0; len(all) < most; i++ {
		x := nodes[1+i%2]
		tables := k.ownedBy(x)
		at := time.Now()
		x.kill()
		eventually(t, "others decide", time.Minute, func(context.Context) error {
			if left := k.ownedBy(x); len(left) > 0 {
				return fmt.Errorf("nobody decides for %v", left)
			}
			return nil
		})
		k.flowingAt(nodes[0])
		all = append(all, k.pauses(x, at, tables)...)
		since := time.Now()
		x.start()
		x.ready()
		k.shares()
		k.flowing()
		t.Logf("%s takes its share: the longest wait for an answer elsewhere was %v", x.name, k.longest(nodes[0], since).Round(time.Millisecond))
	}
	slices.Sort(all)
	k.report("a node was killed", all)
	k.clean()
}

// TestWhoDecidesIsPausedOrCutOff: the others go on; what it decides after it has
// woken is refused by the log, and its clients are answered by who decides now.
func TestWhoDecidesIsPausedOrCutOff(t *testing.T) {
	lasts := faults(t, 4*time.Second, 20*time.Second)
	beside(t)
	c := startNATS(t)
	nodes := startNodes(t, c, 3)
	k := startTalk(t, c, nodes)
	x := nodes[1]
	for _, fault := range []struct {
		what      string
		begin, of func()
	}{
		{"a node was paused", func() { x.signal(syscall.SIGSTOP) }, func() { x.signal(syscall.SIGCONT) }},
		{"a node was cut off in silence", x.links.stall, x.links.heal},
		{"a node was cut off and knows", x.links.cut, x.links.heal},
	} {
		tables := k.ownedBy(x)
		at := time.Now()
		fault.begin()
		last(t, lasts)
		over := time.Now()
		fault.of()
		k.flowing()
		k.report(fault.what, k.pauses(x, at, tables))
		t.Logf("%s: the longest wait of its own clients after it was %v", fault.what, max(0, k.longest(x, over)-over.Sub(at)).Round(time.Millisecond))
		k.shares()
	}
	k.clean()
}

// TestWhoDecidesIsDrained: it hands its tables on before it goes.
func TestWhoDecidesIsDrained(t *testing.T) {
	rounds := int(faults(t, 1, 4)) // a number, not a time
	beside(t)
	c := startNATS(t)
	nodes := startNodes(t, c, 3)
	k := startTalk(t, c, nodes)
	for range rounds {
		x := nodes[2]
		since := time.Now()
		x.signal(syscall.SIGTERM)
		if err := x.wait(60 * time.Second); err != nil {
			t.Errorf("%s ended with %v", x.name, err)
		}
		eventually(t, "others decide", time.Minute, func(context.Context) error {
			if left := k.ownedBy(x); len(left) > 0 {
				return fmt.Errorf("nobody decides for %v", left)
			}
			return nil
		})
		x.start()
		x.ready()
		k.flowing()
		worst := k.longest(nodes[0], since)
		t.Logf("a node was drained and came back: the longest wait for an answer elsewhere was %v", worst.Round(time.Millisecond))
		if worst > talkPatience {
			t.Errorf("somebody waited for %v", worst)
		}
	}
	k.clean()
}
