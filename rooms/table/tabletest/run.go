package tabletest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// Run plays the script through the rules and fails t with the first thing that is
// wrong with them, and where:
//
//   - each decision is taken again and again, later, and by a table that was
//     written down and read before, and must be the same;
//   - each event is applied to the table and to one that was written down and read
//     right before it, and must lead to the same state;
//   - a second table, and two at once, come to the same (under the race detector:
//     without sharing anything);
//   - from each state that was written down on the way the log leads to the same
//     end;
//   - lines of Together are played in other orders;
//   - at each line, and for a long walk after the last, commands are sent that
//     nobody in his right mind would send: they may be refused, and must not
//     break anything.
//
// It needs a bubble of package synctest, in which it lets days pass: rules with a
// clock are found by it, and t must not be in one already.
func Run[S any](t *testing.T, rules table.Rules[S], script ...Line) {
	t.Helper()
	if err := check(t, rules, script); err != nil {
		t.Error(err)
	}
}

// check is what is wrong with rules; nil: nothing was found.
func check[S any](t *testing.T, rules table.Rules[S], script []Line) error {
	t.Helper()
	return bubble(t, func() error { return checks(rules, script) })
}

// bubble runs fn where days pass in no time. A panic is an error.
func bubble(t *testing.T, fn func() error) (err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("tabletest: the rules panic: %v\n%s", v, debug.Stack())
			}
		}()
		err = fn()
	})
	return err
}

func checks[S any](rules table.Rules[S], script []Line) error {
	first := newGame(rules)
	first.thorough, first.probes = true, true
	if err := first.play(script); err != nil {
		return err
	}
	for _, test := range []func(table.Rules[S], []Line, *game[S]) error{again[S], resumed[S], permuted[S], walked[S]} {
		if err := test(rules, script, first); err != nil {
			return err
		}
	}
	return nil
}

// again plays the script on another table: the same comes of it, unless something
// is shared between the two.
func again[S any](rules table.Rules[S], script []Line, first *game[S]) error {
	second := func() error {
		g := newGame(rules)
		if err := g.play(script); err != nil {
			return fmt.Errorf("%w (at a second table; the first one did better, so they share something)", err)
		}
		if err := sameBytes("a second table, with the same commands,", g.end(), first.end()); err != nil {
			return fmt.Errorf("%w: rules keep nothing but the state", err)
		}
		return nil
	}
	if err := second(); err != nil {
		return err
	}
	// Several at once, for the race detector.
	errs := make(chan error)
	for range 2 {
		go func() { errs <- second() }()
	}
	return errors.Join(<-errs, <-errs)
}

// maxReplayed bounds how many events resumed applies.
const maxReplayed = 50_000

// resumed replays the log from the states that were written down on the way.
func resumed[S any](rules table.Rules[S], _ []Line, first *game[S]) error {
	stride := 1 + len(first.log)*len(first.log)/2/maxReplayed
	for i := 0; i < len(first.snapshots); i += stride {
		state, err := rules.Decode(rules.Version(), first.snapshots[i])
		if err != nil {
			return fmt.Errorf("tabletest: the state after event %d is not read again: %w", i, err)
		}
		for _, ev := range first.log[i:] {
			if state, err = rules.Apply(state, fromLog(ev)); err != nil {
				return fmt.Errorf("tabletest: resumed after event %d, %s is not applied: %w", i, ev.Type, err)
			}
		}
		got, err := rules.Encode(state)
		if err != nil {
			return err
		}
		if err := sameBytes(fmt.Sprintf("resumed from the snapshot after event %d, the table", i), got, first.end()); err != nil {
			return err
		}
	}
	return nil
}

// permuted plays the lines of each Together in other orders.
func permuted[S any](rules table.Rules[S], script []Line, first *game[S]) error {
	for i, l := range script {
		for k := range l.together {
			g := newGame(rules)
			g.order = func(at, n int) []int {
				if at != i {
					return inOrder(n)
				}
				return append(inOrder(n)[k:], reversed(k)...)
			}
			if err := g.play(script); err != nil {
				return fmt.Errorf("%w (in another order)", err)
			}
			if err := sameBytes(fmt.Sprintf("with the lines of Together (line %d) in another order the table", i), g.end(), first.end()); err != nil {
				return err
			}
		}
	}
	return nil
}

func inOrder(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

func reversed(n int) (list []int) {
	for i := range n {
		list = append(list, n-1-i)
	}
	return list
}

// seed is random to rules, and the same each time for the nth line.
func seed(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("tabletest"), uint64(n)))
}

// later lets more than a day pass for whoever looks at a clock.
func later() { time.Sleep(25*time.Hour + time.Second + time.Millisecond + time.Microsecond) }
