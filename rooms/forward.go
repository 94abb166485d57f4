package rooms

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of what is forwarded to other nodes.
const (
	// probeAfter is how long a command waits at another node before that is asked
	// whether it is there, and probeEvery how often it is asked then.
	probeAfter = 50 * time.Millisecond
	probeEvery = 200 * time.Millisecond
	// silentAfter is how long a node may leave that without an answer: then it is
	// given up on, and all that waits for it goes to the next one.
	silentAfter = 900 * time.Millisecond
	// repeatAfter is when a command is sent again to a node that is there and does
	// not answer it: the answer may be lost. Then after twice as long, and so on.
	repeatAfter = time.Second
	// maxForwarded is how many commands may wait for other nodes; one more is
	// refused as busy.
	maxForwarded = 1 << 16
	// maxMoves is how often a command goes on to another node at once.
	maxMoves = 8

	forwardTick = 25 * time.Millisecond // how often it looks after what waits
	asleepAfter = time.Second           // a tick that comes so late says that this process has slept
)

// forwarder sends commands to the nodes that decide for their tables, and sends
// them on when such a node is lost or another one decides. Its methods may be
// called from any goroutine.
type forwarder struct {
	eng   *Engine // fixed
	inbox string  // fixed: where answers come

	mu      sync.Mutex
	token   uint64
	pending map[uint64]*sending // by the token of the attempt
	links   map[string]*link    // by node
	later   []*sending          // for the next tick: no node decides, or NATS is away
	wakes   map[wire.Room]*pendingWake
	ticked  time.Time
	ticking bool
	closed  bool
}

// link is what waits for one node.
type link struct {
	queue  []*sending // oldest first; answered ones stay until those before them are
	asked  time.Time  // the first ping since it was last heard; zero: none
	pinged time.Time  // the last ping
	clock  int64      // the node's time when it last said it, in ms since 1970; 0: it has not
}

// sending is something on its way to the node that decides. It is owned by who
// has taken it out of pending, or not put it there yet.
type sending struct {
	room  wire.Room
	c     forwarded
	done  answerFunc
	began time.Time

	ask   string       // whom to ask next; "": whose turn it is
	to    string       // whom it was sent to
	moves int          // since it last waited
	older int          // moved.Older of the last answer that had one; 0: none
	over  atomic.Bool  // done was called
	here  atomic.Int64 // attempts at this node's owner, and those that it has answered

	// of the attempt, guarded by forwarder.mu
	token   uint64 // 0: it is answered
	sent    time.Time
	repeats int
}

// finish passes the answer on. An owner may answer twice: that the log takes no
// step, and, when it did, what was decided.
func (s *sending) finish(d decided) {
	if !s.over.Swap(true) {
		s.done(d)
	}
}

func newForwarder(e *Engine) *forwarder {
	return &forwarder{eng: e, pending: make(map[uint64]*sending), links: make(map[string]*link), wakes: make(map[wire.Room]*pendingWake)}
}

// start subscribes to the answers.
func (f *forwarder) start() error {
	f.inbox = f.eng.nc.NewInbox()
	_, err := f.eng.nc.Subscribe(f.inbox+".*", f.onAnswer)
	return err
}

// send has the node decide whose turn it is, and calls done once.
func (f *forwarder) send(room wire.Room, c forwarded, done answerFunc) {
	f.dispatch(&sending{room: room, c: c, done: done, began: time.Now()})
}

// dispatch sends it to whom it is for now.
func (f *forwarder) dispatch(s *sending) {
	e := f.eng
	to := cmp.Or(s.ask, e.ownerOf(s.room, s.c.Gone))
	s.ask = ""
	switch {
	case to == "" || s.moves > maxMoves:
		f.wait(s)
	case to == e.cfg.Node:
		s.to = to
		attempt := s.here.Add(1)
		e.decideHere(s.room, s.c, func(d decided) {
			switch {
			case s.here.CompareAndSwap(attempt, attempt+1):
				f.answered(s, d)
			case d.Moved == nil && d.Expired == 0: // a second answer: the command may be on its way elsewhere
				s.finish(d)
			}
		})
	default:
		f.publish(s, to)
	}
}

// wait keeps it for the next tick.
func (f *forwarder) wait(s *sending) {
	s.moves, s.c.Gone, s.c.Insist = 0, nil, false
	f.mu.Lock()
	switch {
	case f.closed:
		f.mu.Unlock()
		s.finish(decided{Error: errClosed})
		return
	case time.Since(s.began) > table.MaxWait:
		f.mu.Unlock()
		f.expire(s)
		return
	}
	f.later = append(f.later, s)
	f.keepTicking()
	f.mu.Unlock()
}

// expire answers what has waited for too long.
func (f *forwarder) expire(s *sending) {
	f.eng.tableStats.Unanswered.Add(1)
	text := "no node has decided in time; try again"
	if s.older != 0 {
		text = fmt.Sprintf("no node has decided in time: newer rules than version %d, which a node has, have decided for this table; update the nodes, or try again", s.older)
	}
	if !s.c.repeatable() && s.to != "" {
		text = "no node has said what it decided; without an id it is not asked again"
	}
	s.finish(decided{Error: wire.Errorf(wire.Unavailable, "%s", text)})
}

func (f *forwarder) publish(s *sending, to string) {
	s.c.Gone, s.c.By = f.eng.placement.without(s.c.Gone), ""
	if s.c.Insist && f.eng.placement.takes() {
		s.c.By = f.eng.cfg.Node
	}
	f.mu.Lock()
	s.c.After = f.link(to).clock
	f.mu.Unlock()
	body, err := json.Marshal(&s.c)
	if err != nil {
		s.finish(decided{Error: wire.AsError(err)})
		return
	}
	f.mu.Lock()
	switch {
	case f.closed:
		f.mu.Unlock()
		s.finish(decided{Error: errClosed})
		return
	case len(f.pending) >= maxForwarded:
		f.mu.Unlock()
		f.eng.tableStats.Busy.Add(1)
		s.finish(decided{Error: errTableBusy})
		return
	}
	f.token++
	s.to, s.token, s.sent = to, f.token, time.Now()
	msg := &nats.Msg{Subject: tableSubject(to, wire.RoomToken(s.room)), Reply: f.inbox + "." + strconv.FormatUint(s.token, 10), Data: body}
	if f.eng.nc.PublishMsg(msg) != nil { // NATS is away: nothing of it was sent
		s.token = 0
		f.mu.Unlock()
		f.wait(s)
		return
	}
	f.pending[s.token] = s
	l := f.link(to)
	l.queue = append(l.queue, s)
	f.keepTicking()
	f.mu.Unlock()
}

func (f *forwarder) link(node string) *link {
	l := f.links[node]
	if l == nil {
		l = &link{}
		f.links[node] = l
	}
	return l
}

// onAnswer runs on its subscription's goroutine.
func (f *forwarder) onAnswer(msg *nats.Msg) {
	last := msg.Subject[len(f.inbox)+1:]
	nobody := len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
	if node, ping := cutPing(last); ping {
		if nobody {
			f.giveUp(node, "no such node is connected to NATS")
		} else {
			f.hear(node, msg.Data)
		}
		return
	}
	token, err := strconv.ParseUint(last, 10, 64)
	if err != nil {
		return
	}
	s := f.take(token, !nobody)
	switch {
	case s == nil: // it was sent again under another token
	case nobody:
		f.eng.tableStats.Moved.Add(1)
		f.giveUp(s.to, "no such node is connected to NATS")
		s.c.Gone = append(slices.Clip(s.c.Gone), s.to)
		f.dispatch(s)
	default:
		var d decided
		if err := json.Unmarshal(msg.Data, &d); err != nil {
			d = decided{Error: wire.AsError(err)}
		}
		f.answered(s, d)
	}
}

const pingToken = "p"

func cutPing(token string) (node string, ping bool) {
	if len(token) > 0 && token[:1] == pingToken {
		return token[1:], true
	}
	return "", false
}

// take ends an attempt; nil: it has ended.
func (f *forwarder) take(token uint64, heard bool) *sending {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.pending[token]
	if s == nil {
		return nil
	}
	delete(f.pending, token)
	s.token = 0
	l := f.link(s.to)
	l.trim()
	if heard {
		l.asked = time.Time{}
	}
	return s
}

func (l *link) trim() {
	n := 0
	for n < len(l.queue) && l.queue[n].token == 0 {
		l.queue[n] = nil
		n++
	}
	l.queue = l.queue[n:]
}

// hear takes the answer to a ping: what the node's clock shows.
func (f *forwarder) hear(node string, clock []byte) {
	ms, _ := strconv.ParseInt(string(clock), 10, 64) // 0 of what is none: then it is asked for with the next command
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link(node)
	l.asked, l.clock = time.Time{}, ms
}

// answered passes an answer on, or follows it to another node.
func (f *forwarder) answered(s *sending, d decided) {
	switch {
	case d.Expired != 0:
		f.mu.Lock()
		f.link(s.to).clock = d.Expired
		f.mu.Unlock()
		s.ask = s.to
	case d.Moved == nil:
		s.finish(d)
		return
	default:
		s.follow(d.Moved, f.eng.placement)
	}
	s.moves++
	if s.moves > maxMoves {
		f.wait(s)
		return
	}
	f.dispatch(s)
}

// follow has the node asked next that the one which was asked has named.
func (s *sending) follow(m *moved, nodes *placement) {
	if m.Alive {
		nodes.trust(m.To)
	}
	switch {
	case m.Writer && (m.Alive || !nodes.suspected(m.To)):
		s.ask, s.c.Insist = m.To, true
		s.c.Gone = slices.DeleteFunc(slices.Clone(s.c.Gone), func(node string) bool { return node == m.To })
	case m.Writer:
		s.ask, s.c.Insist, s.c.Gone = s.to, false, append(slices.Clip(s.c.Gone), m.To)
	default:
		s.older = cmp.Or(m.Older, s.older)
		s.c.Insist, s.c.Gone = false, append(slices.Clip(s.c.Gone), s.to)
		if m.To != "" && !slices.Contains(s.c.Gone, m.To) && !nodes.suspected(m.To) {
			s.ask = m.To
		}
	}
}

// giveUp sends what waits for a node to the next one. What has no id may have
// been decided, and is not sent again.
func (f *forwarder) giveUp(node, why string) {
	e := f.eng
	if e.placement.suspect(node) {
		e.tableStats.GivenUp.Add(1)
		e.cfg.Log.Warn().Str("node", node).Str("why", why).Msg("a node does not answer: another one decides for its tables until it is heard again")
	}
	f.mu.Lock()
	l := f.link(node)
	l.asked = time.Time{}
	list := l.queue
	l.queue = nil
	list = slices.DeleteFunc(list, func(s *sending) bool { return s.token == 0 })
	for _, s := range list {
		delete(f.pending, s.token)
		s.token = 0
	}
	f.mu.Unlock()
	for _, s := range list {
		if !s.c.repeatable() {
			f.expire(s)
			continue
		}
		s.c.Gone, s.c.Insist = append(slices.Clip(s.c.Gone), node), false
		f.dispatch(s)
	}
}

// keepTicking has tick called while something waits. f.mu is held.
func (f *forwarder) keepTicking() {
	if f.ticking || f.closed {
		return
	}
	f.ticking, f.ticked = true, time.Now()
	time.AfterFunc(forwardTick, f.tick)
}

// tick looks after what waits.
func (f *forwarder) tick() {
	now := time.Now()
	f.mu.Lock()
	f.wakeUp(now)
	var silent []string
	var again, expired []*sending
	for node, l := range f.links {
		if f.probe(node, l, now) {
			silent = append(silent, node)
			continue
		}
		a, x := f.overdue(l, now)
		again, expired = append(again, a...), append(expired, x...)
	}
	again = append(again, f.later...)
	f.later = nil
	f.ticking = false
	if len(f.pending) > 0 {
		f.keepTicking()
	}
	f.mu.Unlock()
	for _, node := range silent {
		f.giveUp(node, "it does not answer")
	}
	for _, s := range expired {
		f.expire(s)
	}
	for _, s := range again {
		f.dispatch(s)
	}
}

// wakeUp makes nothing of a silence in which this process has slept. f.mu is held.
func (f *forwarder) wakeUp(now time.Time) {
	if now.Sub(f.ticked) > asleepAfter {
		for _, l := range f.links {
			l.asked = time.Time{}
		}
	}
	f.ticked = now
}

// probe asks a node for which something waits whether it is there, and reports
// that it has not answered in time. f.mu is held.
func (f *forwarder) probe(node string, l *link, now time.Time) (silent bool) {
	l.trim()
	if len(l.queue) == 0 || now.Sub(l.queue[0].sent) < probeAfter {
		return false
	}
	return f.ping(node, l, now)
}

func (f *forwarder) ping(node string, l *link, now time.Time) (silent bool) {
	if !l.asked.IsZero() && now.Sub(l.asked) > silentAfter {
		return true
	}
	if now.Sub(l.pinged) < probeEvery {
		return false
	}
	msg := &nats.Msg{Subject: pingSubject(node), Reply: f.inbox + "." + pingToken + node}
	if f.eng.nc.PublishMsg(msg) != nil {
		l.asked = time.Time{} // NATS is away, and it is not the node that is silent
		return false
	}
	f.eng.tableStats.Probes.Add(1)
	l.pinged = now
	if l.asked.IsZero() {
		l.asked = now
	}
	return false
}

// overdue takes out what a node that is there has not answered for long: to be
// sent again, or not any more. f.mu is held.
func (f *forwarder) overdue(l *link, now time.Time) (again, expired []*sending) {
	if len(l.queue) == 0 || now.Sub(l.queue[0].sent) < repeatAfter {
		return nil, nil
	}
	for _, s := range l.queue {
		switch {
		case s.token == 0:
			continue
		case now.Sub(s.began) > table.MaxWait:
			expired = append(expired, s)
		case s.c.repeatable() && now.Sub(s.sent) >= repeatAfter<<s.repeats:
			s.repeats++
			s.ask = s.to
			again = append(again, s)
		default:
			continue
		}
		delete(f.pending, s.token)
		s.token = 0
	}
	l.trim()
	return again, expired
}

// watch asks nodes whether they are there, although nothing waits for them.
func (f *forwarder) watch(nodes map[string]bool) {
	now := time.Now()
	f.mu.Lock()
	var silent []string
	if !f.ticking {
		f.wakeUp(now)
	}
	for node := range nodes {
		if f.ping(node, f.link(node), now) {
			silent = append(silent, node)
		}
	}
	f.mu.Unlock()
	for _, node := range silent {
		f.giveUp(node, "it does not answer")
	}
}

// reconnected sends again what waits: answers may have been lost.
func (f *forwarder) reconnected() {
	f.mu.Lock()
	var again []*sending
	for _, l := range f.links {
		l.asked = time.Time{}
		for _, s := range l.queue {
			if s.token != 0 && s.c.repeatable() {
				delete(f.pending, s.token)
				s.token, s.ask = 0, s.to
				again = append(again, s)
			}
		}
		l.trim()
	}
	f.mu.Unlock()
	for _, s := range again {
		f.dispatch(s)
	}
}

// close answers all that waits.
func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	list := f.later
	f.later = nil
	for _, s := range f.pending {
		s.token = 0
		list = append(list, s)
	}
	clear(f.pending)
	f.mu.Unlock()
	for _, s := range list {
		s.finish(decided{Error: errClosed})
	}
}

// pendingWake is a wake-up of a table that is on its way.
type pendingWake struct {
	injected uint64
	again    bool // something came after it was sent
}

// wake has a table looked after, on whichever node decides: it is loaded, its
// timer is set, and injected commands up to that sequence are taken.
func (f *forwarder) wake(room wire.Room, injected uint64, gone []string) {
	f.mu.Lock()
	if w := f.wakes[room]; w != nil {
		w.injected, w.again = max(w.injected, injected), true
		f.mu.Unlock()
		return
	}
	f.wakes[room] = &pendingWake{injected: injected}
	f.mu.Unlock()
	f.send(room, forwarded{Wake: true, Injected: injected, Gone: gone}, func(d decided) { f.woken(room, d) })
}

// wakeAgain is after how long a wake-up that has failed is tried again.
const wakeAgain = time.Second

func (f *forwarder) woken(room wire.Room, d decided) {
	f.mu.Lock()
	w := f.wakes[room]
	delete(f.wakes, room)
	closed := f.closed
	f.mu.Unlock()
	switch {
	case closed:
	case d.Error != nil && d.Error.Code.Retryable() && d.Error.Code != wire.Internal:
		f.eng.tableStats.WakeRetries.Add(1)
		time.AfterFunc(wakeAgain, func() { f.wake(room, w.injected, nil) })
	case w.again:
		f.wake(room, w.injected, nil)
	}
}
