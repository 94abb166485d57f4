package verify

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A story is words: "a10=x1" reader a hears x1 at 10, "ack10=x1" the server
// says so, "a@10" a starts, or goes on, after 10, "a-" a is away at the end.
// x1 is number 1 of the sender x.
func tell(t *testing.T, story string) findings {
	t.Helper()
	l, readers, away := &ledger{}, map[string]*reader{}, map[*reader]bool{}
	for _, word := range strings.Fields(story) {
		if name, ok := strings.CutSuffix(word, "-"); ok {
			away[readers[name]] = true
			continue
		}
		if name, seq, ok := strings.Cut(word, "@"); ok {
			if readers[name] == nil {
				readers[name] = newReader()
			}
			l.start(readers[name], parse(t, seq))
			continue
		}
		place, event, _ := strings.Cut(word, "=")
		who := strings.TrimRight(place, "0123456789")
		e := entry{parse(t, place[len(who):]), uint32(event[0] - 'x'), uint32(parse(t, event[1:]))}
		if who == "ack" {
			l.acked(e)
		} else {
			l.heard(readers[who], e)
		}
	}
	return l.judge(func(r *reader) bool { return !away[r] })
}

func parse(t *testing.T, digits string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLedger(t *testing.T) {
	tests := []struct {
		name, story string
		want        findings
	}{
		{"nothing", "a@0", findings{}},
		{"all hear all", "a@10 b@10 a11=x1 b11=x1 ack11=x1 ack13=y1 b13=y1 a13=y1", findings{}},
		{"acked before and after, in any order", "a@10 ack13=y1 a11=x1 a13=y1 ack11=x1", findings{}},
		{"what was before the start is not expected", "a@10 b@12 a11=x1 ack12=x2 a12=x2 a13=x3 b13=x3", findings{}},
		{"stored and never acked", "a@10 b@10 a11=x1 b11=x1", findings{}},

		{"an acked event that nobody heard, in the middle", "a@10 a11=x1 a13=x3 ack12=x2", findings{Lost: 1}},
		{"the same, the ack first", "a@10 ack12=x2 a11=x1 a13=x3", findings{Lost: 1}},
		{"an acked event that nobody heard, at the end", "a@10 b@10 a11=x1 b11=x1 ack12=x2", findings{Lost: 2}},
		{"nobody heard anything", "a@10 ack11=x1", findings{Lost: 1}},
		{"one reader missed it", "a@10 b@10 a11=x1 a12=x2 a13=x3 b11=x1 b13=x3", findings{Lost: 1}},
		{"one reader missed it, and was first", "b@10 a@10 b11=x1 b13=x3 a11=x1 a12=x2 a13=x3", findings{Lost: 1}},
		{"one reader missed two at the end", "a@10 b@10 a11=x1 b11=x1 a12=x2 a13=x3", findings{Lost: 2}},
		{"who is away does not miss the end", "a@10 b@10 a11=x1 a12=x2 b11=x1 b-", findings{}},
		{"who is away missed what it was there for", "a@10 b@10 a11=x1 a12=x2 b12=x2 a13=x3 b-", findings{Lost: 1}},

		{"a refresh excuses what lies between", "a@10 b@10 a11=x1 a12=x2 a13=x3 b11=x1 b@12 b13=x3", findings{}},
		{"also when it is known only later", "b@10 b11=x1 b@13 b14=x4 ack12=x2 ack13=x3 ack11=x1", findings{}},
		{"not what was missed before", "a@10 b@10 a11=x1 a12=x2 a13=x3 a14=x4 b12=x2 b@13 b14=x4", findings{Lost: 1}},
		{"not what comes after", "a@10 b@10 a11=x1 a12=x2 a13=x3 a14=x4 b@11 b12=x2 b14=x4", findings{Lost: 1}},

		{"heard twice", "a@10 a11=x1 a11=x1", findings{Repeated: 1}},
		{"heard again later", "a@10 a11=x1 a12=x2 a11=x1", findings{Repeated: 1}},
		{"what was before the start comes nevertheless", "a@10 a10=x1 a11=x2", findings{Repeated: 1}},
		{"stored twice", "a@10 b@10 a11=x1 b11=x1 a12=x1 b12=x1", findings{Repeated: 2}},
		{"stored twice, acked at the second", "a@10 a11=x1 ack12=x1 a12=x1", findings{Repeated: 1, Disagreements: 1}},

		{"swapped for one", "a@10 b@10 a11=x1 a12=x2 b12=x2 b11=x1", findings{OutOfOrder: 1}},
		{"swapped for all", "a@10 b@10 a12=x2 a11=x1 b12=x2 b11=x1", findings{OutOfOrder: 2}},
		{"late, and then again", "a@10 b@10 a11=x1 a12=x2 b12=x2 b11=x1 b11=x1", findings{OutOfOrder: 1, Repeated: 1}},

		{"another event at the same place", "a@10 b@10 a11=x1 a12=x2 b11=x2 b12=x1", findings{Disagreements: 2, Repeated: 2}},
		{"an ack of another event", "a@10 a11=x1 ack11=x2", findings{Disagreements: 1}},
		{"an ack of another place", "a@10 a11=x1 ack12=x1 a13=x3", findings{Disagreements: 1, Lost: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tell(t, tt.story); got != tt.want {
				t.Errorf("%s: %+v, want %+v", tt.story, got, tt.want)
			}
		})
	}
}

// heardBy is a run of one reader's words among others, in its order.
func heardBy(name string, seqs []uint64) []string {
	var words []string
	for _, seq := range seqs {
		words = append(words, fmt.Sprintf("%s%d=x%d", name, seq, seq-100))
	}
	return words
}

// interleave merges lists at random, keeping the order of each.
func interleave(rnd *rand.Rand, lists ...[]string) string {
	var all []string
	for left := true; left; {
		left = false
		for _, i := range rnd.Perm(len(lists)) {
			n := rnd.IntN(min(3, len(lists[i])) + 1)
			all, lists[i] = append(all, lists[i][:n]...), lists[i][n:]
			left = left || len(lists[i]) > 0
		}
	}
	return strings.Join(all, " ")
}

// One fault in an otherwise clean run is found, whatever it is, whoever it
// meets and in which order the checker hears of it; and a clean run is clean.
func TestLedgerFindsAnyOneFault(t *testing.T) {
	mutations := map[string]struct {
		mutate func(seqs []uint64, at int) []uint64
		want   findings
	}{
		"none":   {func(s []uint64, _ int) []uint64 { return s }, findings{}},
		"lose":   {func(s []uint64, at int) []uint64 { return slices.Delete(s, at, at+1) }, findings{Lost: 1}},
		"repeat": {func(s []uint64, at int) []uint64 { return slices.Insert(s, at, s[at]) }, findings{Repeated: 1}},
		"again":  {func(s []uint64, at int) []uint64 { return append(s, s[at]) }, findings{Repeated: 1}},
		"swap": {func(s []uint64, at int) []uint64 {
			at = min(at, len(s)-2)
			s[at], s[at+1] = s[at+1], s[at]
			return s
		}, findings{OutOfOrder: 1}},
	}
	for name, m := range mutations {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				var seqs []uint64
				for seq := uint64(101); seq < 121; seq += 1 + rnd.Uint64N(2) {
					seqs = append(seqs, seq)
				}
				acks := heardBy("ack", seqs)
				rnd.Shuffle(len(acks), func(i, j int) { acks[i], acks[j] = acks[j], acks[i] })
				lists := [][]string{heardBy("a", seqs), heardBy("b", m.mutate(slices.Clone(seqs), rnd.IntN(len(seqs)))), heardBy("c", seqs), acks}
				story := "a@100 b@100 c@100 " + interleave(rnd, lists...)
				if got := tell(t, story); got != m.want {
					t.Fatalf("seed %d: %+v, want %+v\n%s", seed, got, m.want, story)
				}
			}
		})
	}
}

// Minutes at thousands of events per second fit in memory.
func TestLedgerMemory(t *testing.T) {
	const events, readers = 200_000, 10
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := &ledger{}
	var all []*reader
	for range readers {
		all = append(all, newReader())
		l.start(all[len(all)-1], 0)
	}
	for i := range events {
		e := entry{uint64(i) + 1, uint32(i % 10), uint32(i / 10)}
		for _, r := range all {
			l.heard(r, e)
		}
		l.acked(e)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := l.judge(nil); got != (findings{}) {
		t.Fatal(got)
	}
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 64*events {
		t.Errorf("%d events of %d readers take %d bytes, want at most 64 per event", events, readers, used)
	}
}
