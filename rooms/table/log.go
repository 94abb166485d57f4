package table

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Log is a table as its log makes it, and what is decided next. It holds what
// must never be wrong, and nothing of how steps are stored:
//
//   - Take applies the steps that the log has, in order, behind a snapshot or
//     from the first.
//   - Decide makes the next step of the commands that wait. Nobody is told
//     anything of it before it is stored.
//   - The step is appended behind the one that Last names, and behind no other.
//     If the log took it, Stored gives the answers. If the log has another step
//     there, or does not say, this Log is of no use any more: a new one is made
//     from the log, and decides the same commands again. The keys in the steps
//     tell it which of them were decided.
//
// So it does not matter who decides, whether two believe that they do, or which
// ack was lost: of two steps behind the same one the log takes one.
//
// A Log is owned by one goroutine. After a *Broken it is of no use.
type Log struct {
	game  Game
	node  string
	check int // each so many-th decision is applied twice, and the first ones; 0: none

	table machine
	last  uint64 // the last step that is in table
	now   int64  // of it
	taken uint64
	at    int64 // when what was taken last was stored
	done  window
	there present
	count int // decisions
	left  []Request

	open *openStep // decided and not yet stored; nil: none
}

// openStep is a step on its way to the log.
type openStep struct {
	step    Step
	bytes   int // of its events, about
	answers []Answer
}

// Request is a command that waits.
type Request struct {
	Command        // Now and Present are set by Decide
	Key     Key    // that it had before, if it came before; 0: it has no id
	Taken   uint64 // where it lies in the log of rooms; 0: it was not injected
	At      int64  // when it came to this node, or the log of rooms has stored it, ms since 1970
	Unfit   string // why what was injected is no command, so that no rules are asked; "": it is one
	Ref     any    // of who wants the answer; nil: nobody does
}

// Answer is what a sender is told: that its command is in the log, or why not.
type Answer struct {
	Ref     any
	Seq     uint64 // of the step
	Refused string // the reason; "": it was not
	Bound   string // Refusal.Bound, of the first answer
	Again   bool   // it came before: this is the first answer
	Undecided
}

// Undecided is why a command was not decided; the same may be sent again.
type Undecided uint8

// The reasons.
const (
	Decided Undecided = iota // none: it was
	TooMany                  // the table remembers MaxKeys commands already
	TooLate                  // it has waited for MaxWait
)

// NewLog is a table without steps. node is the name of who decides, as steps say
// it; each checkEvery-th decision, none with 0, is applied to a copy of the state
// as well, to find rules that are not pure, and so are the first 16 while the state
// is small.
func NewLog(game Game, node string, checkEvery int) *Log {
	return &Log{game: game, node: node, check: checkEvery, table: game.open(), there: present{}}
}

// Errors of Take and Restore.
var (
	// ErrGap is that a step does not follow the last one.
	ErrGap = errors.New("a step of this table is missing")
	// ErrNewer is that newer rules have decided than this node has.
	ErrNewer = errors.New("newer rules than this node's have decided for this table; update the node")
)

// Last is the sequence of the last step, behind which the next one belongs; 0:
// there is none.
func (l *Log) Last() uint64 { return l.last }

// Taken is up to which sequence of the log of rooms injected commands have been
// decided.
func (l *Log) Taken() uint64 { return l.taken }

// TakenAt is when the log of rooms has stored the injected command that was decided
// last, in ms since 1970; 0: the steps do not say.
func (l *Log) TakenAt() int64 { return l.at }

// Rewind says that the log of rooms was made anew, or is what it was before: it has
// not, under the sequence Taken, what was taken from there. From now on those
// injected commands are decided that it has stored after TakenAt, whatever their
// sequence. No step may be on its way.
func (l *Log) Rewind() { l.taken = 0 }

// passed reports whether an injected command was decided before.
func (l *Log) passed(req Request) bool {
	if l.taken == 0 {
		return req.At <= l.at
	}
	return req.Taken <= l.taken
}

// Take applies the next step of the log, which must be revealed (Step.Reveal).
func (l *Log) Take(seq uint64, s Step) error {
	switch {
	case s.Prev != l.last || seq <= l.last:
		return fmt.Errorf("table: step %d follows %d and not %d: %w", seq, s.Prev, l.last, ErrGap)
	case s.Rules > l.game.Version():
		return fmt.Errorf("table: step %d is of version %d: %w", seq, s.Rules, ErrNewer)
	case s.Hidden != nil:
		return fmt.Errorf("table: step %d hides events from its own table; reveal it first", seq)
	}
	for _, ev := range s.Events {
		if err := l.table.apply(ev.event(), false); err != nil {
			return fmt.Errorf("table: step %d: %w", seq, err)
		}
	}
	l.append(seq, s)
	return nil
}

func (s StoredEvent) event() Event {
	ev := Event{Type: s.Type, Payload: s.Payload, Sealed: s.Sealed}
	if s.To != nil {
		ev.To = *s.To
	}
	return ev
}

// Skip passes over a message of the log that no node wrote: the next step belongs
// behind it, and nothing of it is applied.
func (l *Log) Skip(seq uint64) { l.last = max(l.last, seq) }

// append notes a step whose events are in the table.
func (l *Log) append(seq uint64, s Step) {
	l.last, l.now = seq, max(l.now, s.Now)
	if s.Taken != 0 { // less than before, when the log of rooms was put back
		l.taken, l.at = s.Taken, s.TakenAt
	}
	l.there.take(s)
	l.done.add(doneStep{seq, s.Now, s.Done})
	l.done.forget(l.now)
}

// Decide makes the next step of commands, in their order, at a time in ms since
// 1970. Those that were decided before are answered at once. An answer that is new
// is stored even if it changes nothing: what a node that has slept would refuse,
// another may have taken. No step is returned when nothing has to be stored. Between Decide and Stored
// nothing else may be called. The seed of each command must be random. Who joined
// or left is told to the rules once: a TypeJoined of somebody who is there for
// them, and a TypeLeft of somebody who is not, are left out.
func (l *Log) Decide(now int64, list []Request) (step *Step, answers []Answer, err error) {
	if l.open != nil {
		panic("table: Decide while a step is on its way")
	}
	clock := now
	now = max(now, l.now)
	l.done.forget(now)
	o := &openStep{step: Step{Rules: l.game.Version(), Node: l.node, Prev: l.last, Now: now}}
	pending := make(map[Key]int) // index in o.step.Done
	l.left = nil
	for i, req := range list {
		if o.bytes >= StepBytes {
			l.left = list[i:]
			break
		}
		if req.Taken != 0 {
			if l.passed(req) || req.Taken <= o.step.Taken {
				continue
			}
			o.step.Taken, o.step.TakenAt = req.Taken, req.At
		}
		if req.Unfit != "" {
			o.answers = append(o.answers, Answer{Ref: req.Ref, Refused: req.Unfit})
			continue
		}
		if req.Taken == 0 && clock-req.At > MaxWait.Milliseconds() {
			answers = append(answers, Answer{Ref: req.Ref, Undecided: TooLate})
			continue
		}
		if req.Key != 0 {
			if before, ok := l.done.keys[req.Key]; ok {
				answers = append(answers, Answer{Ref: req.Ref, Seq: before.seq, Refused: before.refused, Again: true})
				continue
			}
			if i, ok := pending[req.Key]; ok {
				o.answers = append(o.answers, Answer{Ref: req.Ref, Refused: o.step.Done[i].Refused, Again: true})
				continue
			}
			if req.Taken == 0 && l.done.full(len(pending), req.User.Guest) {
				answers = append(answers, Answer{Ref: req.Ref, Undecided: TooMany})
				continue
			}
		}
		if !l.there.tell(&o.step, req.Command) {
			if req.Ref != nil {
				answers = append(answers, Answer{Ref: req.Ref, Seq: l.last})
			}
			continue
		}
		if early, err := l.early(req.Command, now); early || err != nil {
			if err != nil {
				return nil, answers, err
			}
			continue
		}
		req.Now, req.Present = now, len(l.there)
		refused, bound, err := l.decide(o, req.Command)
		if err != nil {
			return nil, answers, err
		}
		if req.Key != 0 {
			pending[req.Key] = len(o.step.Done)
			o.step.Done = append(o.step.Done, Done{req.Key, refused})
			o.bytes += doneBytes + len(refused)
		}
		if req.Ref != nil {
			o.answers = append(o.answers, Answer{Ref: req.Ref, Refused: refused, Bound: bound})
		}
	}
	if len(o.step.Events) == 0 && len(o.step.Done)+len(o.step.Came)+len(o.step.Gone) == 0 && o.step.Taken == 0 && len(o.answers) == 0 {
		return nil, answers, nil
	}
	l.open = o
	return &o.step, answers, nil
}

// early reports whether a command is a timer's whose time has not come: what was
// decided since it was sent has set another.
func (l *Log) early(c Command, now int64) (bool, error) {
	if c.Type != TypeTimer || c.User.From != FromEngine {
		return false, nil
	}
	at, err := l.table.timer()
	return at == 0 || at > now, err
}

// Left are the commands of the last Decide that its step has no place for any more
// (StepBytes): they belong into the next one, before all others.
func (l *Log) Left() []Request { return l.left }

// decide adds what comes of a command to the step.
func (l *Log) decide(o *openStep, c Command) (refused, bound string, err error) {
	if c.User.From != FromEngine && ofEngine(c.Type) {
		return fmt.Sprintf("%s is said by the server only", c.Type), "", nil
	}
	l.count++
	events, err := l.table.decide(c, l.checked())
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal.Reason, refusal.Bound, nil
	case err != nil:
		return "", "", err
	}
	for _, ev := range events {
		o.bytes += len(ev.Type) + len(ev.Payload)
		for _, uid := range ev.To {
			o.bytes += len(uid)
		}
		o.step.Events = append(o.step.Events, stored(ev))
	}
	return "", "", nil
}

// Rules that are not pure mostly are so from the start, so the first decisions of a
// Log are all checked; not those on a large state, as a table that is taken over has
// to go on at once.
const (
	firstChecked = 16
	smallState   = 4 << 10 // bytes
)

// checked reports whether the present decision is applied to a copy as well.
func (l *Log) checked() bool {
	return l.check > 0 && (l.count%l.check == 0 || l.count <= firstChecked && l.table.size() <= smallState)
}

func stored(ev Event) StoredEvent {
	s := StoredEvent{Type: ev.Type, Payload: ev.Payload, Sealed: ev.Sealed}
	if ev.To != nil {
		s.To = &ev.To
	}
	return s
}

// Stored says that the log has taken the step under that sequence, and returns
// the answers to its commands.
func (l *Log) Stored(seq uint64) []Answer {
	o := l.open
	l.open = nil
	l.append(seq, o.step)
	for i := range o.answers {
		o.answers[i].Seq = seq
	}
	return o.answers
}

// settled panics while a step is on its way: what the table would show then may
// never have been.
func (l *Log) settled() machine {
	if l.open != nil {
		panic("table: the state is asked for while a step is on its way")
	}
	return l.table
}

// Timer is when the table wants a TypeTimer, in ms since 1970; 0: never.
func (l *Log) Timer() (int64, error) { return l.settled().timer() }

// Busy is Rules.Busy.
func (l *Log) Busy() (bool, error) { return l.settled().busy() }

// WillBeBusy is what Busy is once the step that is on its way is stored.
func (l *Log) WillBeBusy() (bool, error) { return l.table.busy() }

// Keys is how many commands are remembered.
func (l *Log) Keys() int { return len(l.done.keys) }

// View is what a user sees of the state after the step Last.
func (l *Log) View(uid string) (json.RawMessage, error) { return l.settled().view(uid) }

// Admit is Rules.Admit: a *Refusal for who may not join.
func (l *Log) Admit(u User) error { return l.settled().admit(u) }

// Label is Rules.Label. Its error leaves the table as it is.
func (l *Log) Label() (json.RawMessage, error) { return l.settled().label() }
