package rooms

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of what is forwarded to other nodes.
const (
	// maxForwarded is how many commands may wait for other nodes; one more is
	// refused as busy.
	maxForwarded = 1 << 16
	// maxMoves is how often a command goes on to another node at once.
	maxMoves = 8
)

// forwarder sends commands to the nodes that decide for their tables, and sends
// them on when such a node is lost or another one decides. Its methods may be
// called from any goroutine.
type forwarder struct {
	eng   *Engine        // fixed
	inbox string         // fixed: where answers come
	says  rate.Sometimes // that something is forged

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
	return &forwarder{eng: e, says: rate.Sometimes{Interval: sayForgedEvery}, pending: make(map[uint64]*sending), links: make(map[string]*link), wakes: make(map[wire.Room]*pendingWake)}
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
	case time.Since(s.began) > f.eng.cfg.tuning.forwarded:
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
	request := s.c.encode()
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
	f.token++ // in the order of what is sent: see replays
	s.to, s.token, s.sent = to, f.token, time.Now()
	msg := &nats.Msg{Subject: tableSubject(to, wire.RoomToken(s.room)), Reply: f.inbox + "." + strconv.FormatUint(s.token, 10), Data: request}
	f.eng.secret.Load().signInPlace(request, forRequest, msg.Subject, msg.Reply)
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

// onAnswer runs on its subscription's goroutine.
func (f *forwarder) onAnswer(msg *nats.Msg) {
	last := msg.Subject[len(f.inbox)+1:]
	nobody := len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
	if node, ping := cutPing(last); ping {
		if nobody {
			f.giveUp(node, noSuchNode)
		} else {
			f.hear(node, msg.Data)
		}
		return
	}
	var d decided
	var err error
	if !nobody {
		if d, err = f.eng.readAnswer(msg.Subject, msg.Data); err != nil {
			f.eng.onForged(msg, err, "an answer of a node that decides was not signed by it for this request, and is ignored; who publishes there?")
			return
		}
	}
	token, err := strconv.ParseUint(last, 10, 64)
	if err != nil {
		return
	}
	s := f.take(token, !nobody)
	switch {
	case s == nil: // it was sent again under another token
	case !nobody:
		f.answered(s, d)
	case s.c.repeatable():
		f.eng.tableStats.Moved.Add(1)
		f.giveUp(s.to, noSuchNode)
		s.c.Gone = append(slices.Clip(s.c.Gone), s.to)
		f.dispatch(s)
	default: // NATS signs nothing: somebody else may have said that, and the node have decided
		f.giveUp(s.to, noSuchNode)
		f.expire(s)
	}
}

const noSuchNode = "no such node is connected to NATS"

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
