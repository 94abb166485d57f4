package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// numbers are rules for the model: a command is a number, which is noted unless it
// ends in 7. Who comes and goes is noted too.
type numbers struct{}

func (numbers) Version() int                   { return 1 }
func (numbers) New() []int                     { return nil }
func (numbers) Timer([]int) int64              { return 0 }
func (numbers) Busy([]int) bool                { return false }
func (numbers) View(s []int, _ string) any     { return s }
func (numbers) Admit([]int, table.User) error  { return nil }
func (numbers) Label(s []int) any              { return len(s) }
func (numbers) Encode(s []int) ([]byte, error) { return json.Marshal(s) }
func (numbers) Apply(s []int, ev table.Event) ([]int, error) {
	var n int
	err := json.Unmarshal(ev.Payload, &n)
	return append(s, n), err
}
func (numbers) Decode(_ int, data []byte) (s []int, err error) {
	return s, json.Unmarshal(data, &s)
}
func (numbers) Decide(s []int, c table.Command) ([]table.Event, error) {
	n, err := table.Read[int](c)
	switch {
	case c.Type == table.TypeJoined:
		return []table.Event{table.Happened("noted", cameAs+int(c.User.UID[0]))}, nil
	case c.Type == table.TypeLeft:
		return []table.Event{table.Happened("noted", wentAs+int(c.User.UID[0]))}, nil
	case err != nil:
		return nil, err
	case n%10 == 7:
		return nil, table.Refuse("no sevens")
	}
	return []table.Event{table.Happened("noted", n)}, nil
}

// What numbers note of somebody who comes and goes is his initial, and this.
const (
	cameAs = 1_000_000
	wentAs = 2_000_000
)

// world is a log, nodes that all may believe that they decide, and senders that
// repeat what was not answered. Reads lag, acks are lost, nodes sleep and die.
type world struct {
	err   error // the first thing that went wrong
	rng   *rand.Rand
	rules table.Game
	fault string // what the nodes of this world do wrong; "": nothing

	now       int64
	seq       uint64 // of the stream, which other tables use as well
	log       []logged
	snapshots [][]byte
	injected  []stored   // the log of rooms; the sequence is the index, from 1
	copies    [][]stored // of it, which may be put in its place
	number    int        // of the last injected one
	putBack   int64      // when the log of rooms was last another than before
	nodes     [3]*node
	sent      map[int]*sent
	next      int
	there     map[string]table.User // who is there in truth; nodes hear of it late
}

// stored is a number in the log of rooms.
type stored struct {
	number int
	at     int64
}

type logged struct {
	seq  uint64
	body []byte
}

type sent struct {
	at      int64 // when it was first
	answer  string
	answers int
}

type node struct {
	log     *table.Log
	waiting []table.Request
	asked   []table.Request // of the step that is on its way
	step    *table.Step
	tried   bool  // it may be in the log
	asleep  int   // for so many moves
	clock   int64 // what its clock shows besides the time
	there   map[string]table.User
	read    []stored // the log of rooms, as it was or as a replica that lags showed it
}

func newWorld(seed uint64, fault string) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 14)), rules: table.Of[[]int](numbers{}), fault: fault, now: 1_800_000_000_000, sent: map[int]*sent{}, there: map[string]table.User{}}
	for i := range w.nodes {
		w.nodes[i] = &node{clock: int64(w.rng.IntN(40_000) - 20_000)}
	}
	return w
}

func (w *world) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *world) last() uint64 {
	if len(w.log) == 0 {
		return 0
	}
	return w.log[len(w.log)-1].seq
}

// load makes a node's table from what a replica shows it, which may be behind.
func (w *world) load(n *node) {
	n.log = table.NewLog(w.rules, "n", 1)
	if len(w.snapshots) > 0 && w.rng.IntN(3) > 0 {
		if err := n.log.Restore(w.snapshots[w.rng.IntN(len(w.snapshots))]); err != nil {
			w.fail(err)
		}
	}
	shown := w.log
	if w.rng.IntN(3) == 0 {
		shown = w.log[:w.rng.IntN(len(w.log)+1)]
	}
	for _, l := range shown {
		if l.seq > n.log.Last() {
			w.take(n.log, l)
		}
	}
	n.waiting, n.asked, n.step, n.tried, n.read = append(n.asked, n.waiting...), nil, nil, false, nil
}

func (w *world) take(log *table.Log, l logged) {
	step, err := table.DecodeStep(l.body)
	if err == nil {
		err = log.Take(l.seq, step)
	}
	if err != nil {
		w.fail(err)
	}
}

// send has a number come to a node: a new one, or one that was not answered.
func (w *world) send(n *node) {
	number := 0
	for again := range w.sent {
		s := w.sent[again]
		if s.answers == 0 && w.now-s.at < 110_000 && w.rng.IntN(2) == 0 && (number == 0 || again < number) {
			number = again
		}
	}
	if number == 0 {
		w.next++
		number = w.next
		w.sent[number] = &sent{at: w.now}
	}
	req := w.request(number, 0, w.now+n.clock)
	n.waiting = append(n.waiting, req)
}

func (w *world) request(number int, taken uint64, at int64) table.Request {
	req := table.Request{Command: table.Command{Type: "note", Payload: []byte(fmt.Sprint(number)), User: table.User{From: table.FromUser, UID: "u"}}, Taken: taken, At: at}
	if taken == 0 {
		req.Ref, req.Key = number, table.KeyOf(table.FromUser, "u", fmt.Sprint(number))
	}
	return req
}

// decide has a node decide what waits, with what it sees of the injected ones.
func (w *world) decide(n *node) {
	list := n.waiting
	w.read(n)
	for i := n.log.Taken(); i < uint64(len(n.read)); i++ {
		if s := n.read[i]; w.fault != "when it was injected does not count" {
			list = append(list, w.request(s.number, i+1, s.at))
		} else {
			list = append(list, w.request(s.number, i+1, w.now))
		}
	}
	list = append(list, w.whoMoved(n)...)
	step, answers, err := n.log.Decide(w.now+n.clock, list)
	if err != nil {
		w.fail(err)
	}
	w.answer(answers)
	n.waiting = nil
	if step != nil {
		n.step = step
		for _, req := range list {
			if req.Taken == 0 && req.Key != 0 {
				n.asked = append(n.asked, req)
			}
		}
	}
}

// read has a node see what was injected, perhaps as it was long ago. Where that has not
// what the table has taken last, it may lag or be another log of rooms: to believe the
// latter does no harm.
func (w *world) read(n *node) {
	if w.rng.IntN(3) > 0 {
		n.read = w.injected[:w.rng.IntN(len(w.injected)+1)]
	}
	if !holdsTaken(n.read, n.log) && w.fault != "the log of rooms never goes back" {
		n.log.Rewind()
	}
}

// holdsTaken reports whether a log of rooms has what a table has taken last.
func holdsTaken(injected []stored, log *table.Log) bool {
	taken := log.Taken()
	return taken == 0 || taken <= uint64(len(injected)) && injected[taken-1].at == log.TakenAt()
}

// inject adds to the log of rooms. Now and then somebody deletes it, or puts a copy of
// it in its place.
func (w *world) inject() {
	w.now++
	switch w.rng.IntN(20) {
	case 0:
		w.injected, w.putBack = nil, w.now
	case 1:
		if len(w.copies) > 0 {
			w.injected, w.putBack = w.copies[w.rng.IntN(len(w.copies))], w.now
		}
	case 2:
		w.copies = append(w.copies, w.injected)
	}
	w.now++
	w.number--
	w.injected = append(slices.Clip(w.injected), stored{w.number, w.now})
}

// whoMoved is what a node tells the rules of who is there: what it has heard, which
// may be long ago, and now and then something of which they know.
func (w *world) whoMoved(n *node) (list []table.Request) {
	if w.rng.IntN(2) == 0 {
		n.there = maps.Clone(w.there)
	}
	joined, left := n.log.Difference(n.there, 1+w.rng.IntN(3))
	for _, u := range joined {
		list = append(list, moved(table.TypeJoined, u.UID))
	}
	for _, uid := range left {
		list = append(list, moved(table.TypeLeft, uid))
	}
	if w.rng.IntN(3) == 0 {
		list = append(list, moved([]string{table.TypeJoined, table.TypeLeft}[w.rng.IntN(2)], string(rune('a'+w.rng.IntN(4)))))
	}
	w.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func moved(typ, uid string) table.Request {
	return table.Request{Command: table.Command{Type: typ, User: table.User{UID: uid}}, At: 1 << 60}
}

func (w *world) answer(answers []table.Answer) {
	for _, a := range answers {
		if a.Undecided != table.Decided {
			continue
		}
		s := w.sent[a.Ref.(int)]
		text := fmt.Sprint(a.Seq, a.Refused)
		if s.answers++; s.answers > 1 && s.answer != text {
			w.fail(fmt.Errorf("%d was answered %q and %q", a.Ref, s.answer, text))
		}
		s.answer = text
	}
}

// append has a node's step come to the log, and its ack to the node, or not.
func (w *world) append(n *node) {
	if n.step.Prev != w.last() && w.fault != "no fence" {
		w.load(n)
		return
	}
	body, err := n.step.Encode()
	if err != nil {
		w.fail(err)
	}
	w.seq += 1 + uint64(w.rng.IntN(3))
	w.log = append(w.log, logged{w.seq, body})
	if w.fault == "an ack is believed that never came" {
		w.log = w.log[:len(w.log)-w.rng.IntN(2)]
	}
	switch w.rng.IntN(6) {
	case 0: // the ack is lost: it is tried again
	case 1: // and so is the node
		w.die(n)
	default:
		w.answer(n.log.Stored(w.seq))
		n.step, n.asked = nil, nil
	}
}

func (w *world) die(n *node) { *n = node{asleep: w.rng.IntN(5), clock: n.clock} }

func (w *world) move() {
	w.now += int64(w.rng.IntN(3000))
	if uid := string(rune('a' + w.rng.IntN(4))); w.rng.IntN(4) > 0 {
		delete(w.there, uid)
	} else {
		w.there[uid] = table.User{UID: uid}
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	if n.asleep > 0 {
		n.asleep--
		return
	}
	switch w.rng.IntN(12) {
	case 0:
		w.inject()
	case 1:
		n.asleep = w.rng.IntN(20)
	case 2:
		w.die(n)
	case 3, 4, 5:
		w.send(n)
	case 6:
		if n.log != nil && n.step == nil {
			w.snapshot(n)
		}
	default:
		switch {
		case n.log == nil:
			w.load(n)
		case n.step != nil:
			w.append(n)
		default:
			w.decide(n)
		}
	}
}

func (w *world) snapshot(n *node) {
	data, err := n.log.Snapshot()
	if err != nil {
		w.fail(err)
	}
	if part := map[string]string{"keys forgotten": "done", "who is there forgotten": "there"}[w.fault]; part != "" {
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(data, &parts); err != nil {
			w.fail(err)
		}
		delete(parts, part)
		if data, err = json.Marshal(parts); err != nil {
			w.fail(err)
		}
	}
	w.snapshots = append(w.snapshots, data)
}

// verdict is what is wrong with the log at the end: nil if nothing is.
func (w *world) verdict() error {
	final := table.NewLog(w.rules, "", 0)
	for _, l := range w.log {
		step, err := table.DecodeStep(l.body)
		if err == nil {
			err = final.Take(l.seq, step)
		}
		if err != nil {
			return err
		}
	}
	view, err := final.View("")
	if err != nil {
		return err
	}
	var noted []int
	if err := json.Unmarshal(view, &noted); err != nil {
		return err
	}
	times := map[int]int{}
	here := map[int]bool{} // by initial
	for _, n := range noted {
		if n < cameAs {
			times[n]++
			continue
		}
		initial, came := n%cameAs, n < wentAs
		if here[initial] == came {
			return fmt.Errorf("%c came=%t twice", initial, came)
		}
		here[initial] = came
	}
	if err := w.bringUpToDate(final); err != nil {
		return err
	}
	for n, count := range times {
		if count != 1 {
			return fmt.Errorf("%d was noted %d times", n, count)
		}
	}
	for n, s := range w.sent {
		if refused := bytes.HasSuffix([]byte(s.answer), []byte("no sevens")); s.answers > 0 && (times[n] == 0) != refused {
			return fmt.Errorf("%d was answered %q and noted %d times", n, s.answer, times[n])
		}
	}
	if !holdsTaken(w.injected, final) {
		final.Rewind()
	}
	for i, s := range w.injected {
		if uint64(i) >= final.Taken() || s.at < w.putBack {
			continue // not yet, or perhaps in another log of rooms than this one
		}
		if number := s.number; (times[number] == 0) != (number%10 == -7) && number%10 != -7 {
			return fmt.Errorf("%d was injected and noted %d times", number, times[number])
		}
	}
	return nil
}

// bringUpToDate has the rules told who is there in truth.
func (w *world) bringUpToDate(log *table.Log) error {
	joined, left := log.Difference(w.there, 100)
	var list []table.Request
	for _, u := range joined {
		list = append(list, moved(table.TypeJoined, u.UID))
	}
	for _, uid := range left {
		list = append(list, moved(table.TypeLeft, uid))
	}
	step, _, err := log.Decide(w.now, list)
	if err != nil {
		return err
	}
	if step != nil {
		log.Stored(log.Last() + 1)
	}
	if joined, left := log.Difference(w.there, 100); log.Present() != len(w.there) || len(joined)+len(left) > 0 {
		return fmt.Errorf("%d are there for the rules and %d in truth: %v came, %v went", log.Present(), len(w.there), joined, left)
	}
	return nil
}

func play(seed uint64, fault string) error {
	w := newWorld(seed, fault)
	for range 400 {
		if w.move(); w.err != nil {
			return w.err
		}
	}
	return w.verdict()
}

// TestModel: whatever happens, what was acknowledged is in the log once, what was
// refused is not, and nobody gets two different answers.
func TestModel(t *testing.T) {
	for seed := range uint64(3000) {
		if err := play(seed, ""); err != nil {
			t.Fatalf("schedule %d: %v", seed, err)
		}
	}
}

// TestModelFinds: in worlds in which something is done wrong the model sees it.
func TestModelFinds(t *testing.T) {
	for _, fault := range []string{"no fence", "keys forgotten", "who is there forgotten", "an ack is believed that never came", "the log of rooms never goes back", "when it was injected does not count"} {
		found := errors.New("")
		seed := uint64(0)
		for ; seed < 3000; seed++ {
			if found = play(seed, fault); found != nil {
				break
			}
		}
		if found == nil {
			t.Errorf("%s: not found", fault)
			continue
		}
		t.Logf("%s: schedule %d: %v", fault, seed, found)
	}
}
