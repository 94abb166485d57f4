package follow_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

var update = flag.Bool("update", false, "write what the stories in testdata print into them")

// A story in testdata is read line by line: a line that starts with # is for
// people, one that starts with ">" under it is what the line above it did, any
// other is an input. An event is SEQ, or SEQ@TIME when its time is not the one
// that the stories give it; "last 0" is an empty room. The punctuation , : ; at
// the end of a word is for people.
//
//	limits replay N held N [bytes N] before the first open; 4 and 4 when not said; an event has as
//	                                 many bytes as its sequence has digits
//	restart                          the node starts again and knows nothing
//	open EPOCH last EVENT through N [first N]
//	live EVENT after N
//	page any|leader [late] failed|through N: [start[@TIME]] [whole N] [EVENT…] [cut]
//	verdict [late] on N: failed|[STATE] stream N..N has none|EVENT… [limit N [since N]] [epoch EPOCH]
//	check last EVENT through N [first N]
//	join NAME since EPOCH:N          also: last N
//	history NAME before N limit N [known N] [bytes N]
//	forget down to N                 what the ring costs; each event costs 64 and its digits
//	doubt                            also: missed, renewed
//	stands                           where the room is, and whether it rests
//
// A page answers the newest read of its kind that was not answered, a verdict
// the newest question about its sequence; late ones the oldest. A stream is
// told by its first and last sequence and the room's events in it. Frames that
// are only made to be remembered are not printed.
//
// go test -run Story -update writes what is done into the file.
type story struct {
	f      *follow.Follower
	limits follow.Limits
	opened bool
	epoch  string
	reads  []follow.Range
	asks   []ask
	out    []string
}

func TestStory(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := tell(t, string(text))
			if told == string(text) {
				return
			}
			if !*update {
				t.Fatalf("%s now reads (write it with -update once you can explain it):\n%s", file, told)
			}
			if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func tell(t *testing.T, text string) string {
	s := &story{limits: follow.Limits{Replay: 4, RingBytes: 1 << 20, Held: 4, HeldBytes: 1 << 20}}
	s.restart()
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), ">") {
			continue
		}
		fmt.Fprintln(&b, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w := &words{}
		for _, word := range strings.Fields(line) {
			w.list = append(w.list, strings.TrimRight(word, ",:;"))
		}
		s.out = nil
		s.do(w)
		if len(w.list) > 0 {
			w.fail("what is %q?", w.list)
		}
		if w.err != nil {
			t.Fatalf("line %d: %q: %v", i+1, line, w.err)
		}
		for _, o := range s.out {
			fmt.Fprintln(&b, "  > "+o)
		}
	}
	return b.String()
}

// do parses an input wholly before the follower gets it.
func (s *story) do(w *words) {
	switch verb := w.word(); verb {
	case "limits":
		s.setLimits(w)
	case "restart":
		s.restart()
	case "open":
		s.open(w)
	case "live":
		c := follow.Copy{Event: w.event()}
		c.Prev = w.after("after")
		c.From = w.maybe("from", c.Seq)
		s.input(w, func() { s.f.Live(c) })
	case "page":
		s.page(w)
	case "verdict":
		s.verdict(w)
	case "check":
		last := w.last()
		c := follow.Check{Last: last.Seq, Time: last.Time, HighWatermark: w.after("through"), First: w.maybe("first", 1)}
		s.input(w, func() { s.f.Check(c) })
	case "join":
		s.join(w)
	case "history":
		h := &follow.History{Ref: w.word(), Before: w.after("before"), Limit: int(w.after("limit")), Known: w.maybe("known", 0), Bytes: int(w.maybe("bytes", 0))}
		s.input(w, func() { s.f.History(h) })
	case "forget":
		w.wants("down")
		keep := int(w.after("to"))
		s.input(w, func() { s.print("forgot: %v", s.f.Trim(keep)) })
	case "doubt":
		s.f.Suspect()
	case "missed":
		s.f.Missed()
	case "renewed":
		s.f.Renewed()
	case "stands":
		s.stands()
	default:
		w.fail("no input is called %q", verb)
	}
}

func (s *story) input(w *words, give func()) {
	if w.err == nil && len(w.list) == 0 {
		give()
	}
}

func (s *story) setLimits(w *words) {
	if s.opened {
		w.fail("limits are not changed")
	}
	s.limits.Replay, s.limits.Held = int(w.after("replay")), int(w.after("held"))
	s.limits.ReplayBytes = int(w.maybe("bytes", 0))
}

func (s *story) restart() {
	s.f, s.reads, s.asks = follow.New(s, &s.limits), nil, nil
}

func (s *story) open(w *words) {
	s.opened, s.epoch = true, w.word()
	last := w.last()
	o := follow.Opening{Epoch: s.epoch, Last: last.Seq, LastTime: last.Time, HighWatermark: w.after("through"), First: w.maybe("first", 1)}
	s.input(w, func() { s.f.Open(o) })
}

func (s *story) page(w *words) {
	from := w.word()
	r, found := take(&s.reads, w.is("late"), func(r follow.Range) bool { return sourceName(r.From) == from })
	if !found {
		w.fail("nobody reads from %s", from)
	}
	p := follow.Page{Op: r.Op, Failed: w.is("failed")}
	if !p.Failed {
		p.HighWatermark = w.after("through")
	}
	for w.err == nil && len(w.list) > 0 {
		switch {
		case w.is("cut"):
			p.Cut = true
		case w.is("whole"):
			p.ContiguousFrom = w.number()
		case w.is("start"):
			p.Start, p.StartTime = true, usual(r.After)
		case strings.HasPrefix(w.list[0], "start@"):
			p.Start, p.StartTime = true, strings.TrimPrefix(w.word(), "start@")
		default:
			p.Events = append(p.Events, w.event())
		}
	}
	for _, e := range p.Events {
		if e.Seq <= r.After || e.Seq > r.Upto {
			w.fail("%d was not asked for", e.Seq)
		}
	}
	s.input(w, func() { s.f.Page(p) })
}

var states = map[string]follow.State{"there": follow.Present, "discarded": follow.Discarded, "another": follow.OtherRoom, "beyond": follow.PastEnd}

func (s *story) verdict(w *words) {
	late, seq := w.is("late"), w.after("on")
	a, found := take(&s.asks, late, func(a ask) bool { return a.seq == seq })
	if !found {
		w.fail("nobody asks about %d", seq)
	}
	v := follow.Verdict{Op: a.op, Failed: w.is("failed")}
	if !v.Failed {
		v.Seq = seq
		s.say(w, &v)
	}
	s.input(w, func() { s.f.Verdict(v) })
}

// say reads what a verdict says, which must not contradict itself.
func (s *story) say(w *words, v *follow.Verdict) {
	if !w.is("stream") {
		state := w.word()
		known := false
		if v.State, known = states[state]; !known {
			w.fail("%q is no state", state)
		}
		w.wants("stream")
	}
	first, last, _ := strings.Cut(w.word(), "..")
	v.First, v.HighWatermark = w.parse(first), w.parse(last)
	w.wants("has")
	there := false
	for !w.is("none") && len(w.list) > 0 && w.list[0] != "limit" && w.list[0] != "epoch" && w.err == nil {
		e := w.event()
		if v.Count++; v.Count == 1 {
			v.Oldest = e.Seq
		}
		v.Last, v.LastTime = e.Seq, e.Time
		if e.Seq == v.Seq {
			there, v.Time = true, e.Time
		}
	}
	v.Limit = int64(w.maybe("limit", 0))
	v.LimitSince = w.maybe("since", 0)
	v.Epoch = s.epoch
	if w.is("epoch") {
		v.Epoch = w.word()
	}
	if v.Seq != 0 && ((v.State == follow.Present) != there || (v.State == follow.PastEnd) != (v.Seq > v.HighWatermark)) ||
		v.Oldest != 0 && v.Oldest < v.First || v.Last > v.HighWatermark {
		w.fail("the verdict contradicts itself")
	}
}

func (s *story) join(w *words) {
	j := &follow.Join{Ref: w.word()}
	if w.is("since") {
		epoch, seq, _ := strings.Cut(w.word(), ":")
		j.Since = &follow.Position{Epoch: epoch, Seq: w.parse(seq)}
	} else {
		j.Last = int(w.after("last"))
	}
	s.input(w, func() { s.f.Join(j) })
}

func (s *story) stands() {
	newest, rest := "none", "busy"
	if seq := s.f.Newest(); seq != 0 {
		newest = fmt.Sprint(seq)
	}
	if s.f.Quiet() {
		rest = "quiet"
	}
	s.print("at %s, newest %s, %s", position(s.f.Position()), newest, rest)
}

// take takes out the newest that fits, or the oldest.
func take[T any](list *[]T, oldest bool, fits func(T) bool) (t T, found bool) {
	at := -1
	for i, e := range *list {
		if fits(e) && (at < 0 || !oldest) {
			at = i
		}
	}
	if at < 0 {
		return t, false
	}
	t = (*list)[at]
	*list = slices.Delete(*list, at, at+1)
	return t, true
}

// words is what is left of a line.
type words struct {
	list []string
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *words) word() string {
	if len(w.list) == 0 {
		w.fail("a word is missing")
		return ""
	}
	word := w.list[0]
	w.list = w.list[1:]
	return word
}

func (w *words) is(word string) bool {
	if len(w.list) == 0 || w.list[0] != word {
		return false
	}
	w.list = w.list[1:]
	return true
}

func (w *words) wants(word string) {
	if !w.is(word) {
		w.fail("%q is missing before %q", word, w.list)
	}
}

func (w *words) parse(number string) uint64 {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		w.fail("%w", err)
	}
	return n
}

func (w *words) number() uint64 { return w.parse(w.word()) }

func (w *words) after(word string) uint64 {
	w.wants(word)
	return w.number()
}

func (w *words) maybe(word string, otherwise uint64) uint64 {
	if w.is(word) {
		return w.number()
	}
	return otherwise
}

func (w *words) event() follow.Event {
	number, time, other := strings.Cut(w.word(), "@")
	e := follow.Event{Seq: w.parse(number)}
	if e.Time = usual(e.Seq); other {
		e.Time = time
	}
	return e
}

func (w *words) last() follow.Event {
	w.wants("last")
	e := w.event()
	if e.Seq == 0 {
		return follow.Event{}
	}
	return e
}

// usual is the time of an event of which nothing else is said.
func usual(seq uint64) string { return fmt.Sprint("t", seq) }

func brief(e follow.Event) string {
	if e.Time == usual(e.Seq) {
		return fmt.Sprint(e.Seq)
	}
	return name(e)
}

func position(p follow.Position) string { return fmt.Sprint(p.Epoch, ":", p.Seq) }

func sourceName(from follow.Source) string {
	if from == follow.Leader {
		return "leader"
	}
	return "any"
}

// What follows is what the follower wants done.

func (s *story) print(format string, args ...any) {
	s.out = append(s.out, fmt.Sprintf(format, args...))
}

func (s *story) Deliver(e follow.Event) ([]byte, *follow.Apart) {
	s.print("deliver %s", brief(e))
	return slices.Clip([]byte(brief(e))), nil
}

func (s *story) Frame(e follow.Event) ([]byte, *follow.Apart) {
	return slices.Clip([]byte(brief(e))), nil
}

func (s *story) Refresh() { s.print("refresh at %s", position(s.f.Position())) }

func (s *story) Read(r follow.Range) {
	s.reads = append(s.reads, r)
	line := fmt.Sprintf("read %s after %d upto %d", sourceName(r.From), r.After, r.Upto)
	if r.Newest > 0 {
		line += fmt.Sprint(" newest ", r.Newest)
	}
	if r.All {
		line += " or nothing"
	}
	s.print("%s%s", line, again(r.Attempt))
}

func (s *story) Ask(op, seq uint64, attempt int) {
	s.asks = append(s.asks, ask{op: op, seq: seq})
	s.print("ask %d%s", seq, again(attempt))
}

func again(attempt int) string {
	if attempt == 0 {
		return ""
	}
	return fmt.Sprint(" attempt ", attempt)
}

func (s *story) Admit(j *follow.Join, a follow.Admission) {
	how := "anew"
	if a.Recovered {
		how = "recovered"
	}
	s.print("admit %v %s at %d:%s", j.Ref, how, a.Seq, frames(a.Replay))
}

func frames(entries []follow.Entry) string {
	line := ""
	for _, e := range entries {
		line += " " + string(e.Frame)
	}
	if line == "" {
		return " nothing"
	}
	return line
}

// Page prints a page alike whether it comes from memory or was read for it.
func (s *story) Page(h *follow.History, remembered []follow.Entry, events []follow.Event, more bool) {
	remembered = slices.Clip(remembered)
	for _, e := range events {
		remembered = append(remembered, follow.Entry{Seq: e.Seq, Frame: []byte(brief(e))})
	}
	end := ", and no older ones"
	if more {
		end = ", and older ones"
	}
	s.print("page for %v:%s%s", h.Ref, frames(remembered), end)
}

func (s *story) Refuse(j *follow.Join, h *follow.History) {
	if j != nil {
		s.print("refuse %v", j.Ref)
	} else {
		s.print("refuse %v", h.Ref)
	}
}

var incidents = map[follow.Incident]string{
	follow.Repair: "repair", follow.HeldDropped: "held dropped", follow.Forged: "forged",
	follow.TooMuch: "too much since", follow.PageCut: "page cut before",
	follow.Lost: "lost", follow.RolledBack: "rolled back", follow.Renewed: "renewed",
}

func (s *story) Report(what follow.Incident, seq uint64) { s.print("%s %d", incidents[what], seq) }
