package rooms

import (
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Times after which something is done about what waits for another node.
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

	forwardTick = 25 * time.Millisecond // how often it looks after what waits
	asleepAfter = time.Second           // a tick that comes so late says that this process has slept
)

// link is what waits for one node.
type link struct {
	queue  []*sending // oldest first; answered ones stay until those before them are
	asked  time.Time  // the first ping since it was last heard; zero: none
	pinged time.Time  // the last ping
	clock  uint64     // the node's clock when it last told it: see Engine.tells; 0: it has not
}

func (f *forwarder) link(node string) *link {
	l := f.links[node]
	if l == nil {
		l = &link{}
		f.links[node] = l
	}
	return l
}

func (l *link) trim() {
	n := 0
	for n < len(l.queue) && l.queue[n].token == 0 {
		l.queue[n] = nil
		n++
	}
	l.queue = l.queue[n:]
}

const pingToken = "p"

func cutPing(token string) (node string, ping bool) {
	if len(token) > 0 && token[:1] == pingToken {
		return token[1:], true
	}
	return "", false
}

// hear takes the answer to a ping: what the node's clock shows. It is not signed:
// with a wrong clock the next command comes back once.
func (f *forwarder) hear(node string, told []byte) {
	clock, _ := strconv.ParseUint(string(told), 10, 64) // 0 of what is none: then it is asked for with the next command
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link(node)
	l.asked, l.clock = time.Time{}, clock
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
	if !l.asked.IsZero() && now.Sub(l.asked) > f.eng.cfg.tuning.silent {
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
		case now.Sub(s.began) > f.eng.cfg.tuning.forwarded:
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

// watch asks nodes whether they are there, although nothing waits for them, and
// forgets those that decide no more.
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
	for node, l := range f.links {
		if l.trim(); len(l.queue) == 0 && !f.eng.placement.hosts(node) {
			delete(f.links, node)
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
