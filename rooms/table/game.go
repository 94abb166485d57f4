package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
)

// Game is Rules with the type of their state hidden: what rooms host.
type Game interface {
	// Version is Rules.Version.
	Version() int
	// open is a table without steps.
	open() machine
}

// Of makes rules a Game.
func Of[S any](rules Rules[S]) Game { return game[S]{rules} }

type game[S any] struct{ rules Rules[S] }

func (g game[S]) Version() int  { return g.rules.Version() }
func (g game[S]) open() machine { return &hosted[S]{rules: g.rules, state: g.rules.New()} }

// machine is one table's rules and state. An error that is a *Broken, and each
// one of apply and restore, means that neither is of use any more.
type machine interface {
	// decide applies what it decides. checked has each event applied twice.
	decide(c Command, checked bool) ([]Event, error)
	apply(ev Event, checked bool) error
	timer() (int64, error)
	busy() (bool, error)
	view(uid string) (json.RawMessage, error)
	admit(u User) error
	label() (json.RawMessage, error)
	encode() ([]byte, error)
	// size is that of the state when it was last written down or read, in bytes; 0:
	// it never was.
	size() int
	restore(version int, data []byte) error
}

// Broken is a fault of rules, or of a log that they cannot read: the table stops
// until it is resumed, with other rules.
type Broken struct {
	What  string // was to be done
	Cause error
	Stack []byte // of a panic
}

func (b *Broken) Error() string {
	return fmt.Sprintf("the rules of this table failed (%s): %v", b.What, b.Cause)
}

// Unwrap is the cause.
func (b *Broken) Unwrap() error { return b.Cause }

// hosted is the one boundary at which a panic of rules is caught.
type hosted[S any] struct {
	rules Rules[S]
	state S
	bytes int // see size
}

// guard runs fn; its error becomes a *Broken, a *Refusal stays one.
func guard(what string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Broken{What: what, Cause: fmt.Errorf("panic: %v", v), Stack: debug.Stack()}
		}
	}()
	err = fn()
	var refusal *Refusal
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return &Broken{What: what, Cause: err}
}

func (h *hosted[S]) decide(c Command, checked bool) (events []Event, err error) {
	err = guard("decide "+c.Type, func() (err error) {
		events, err = h.rules.Decide(h.state, c)
		if err == nil {
			return nil
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			err = Refuse("%v", err)
		}
		return err
	})
	for i := 0; i < len(events) && err == nil; i++ {
		err = h.apply(events[i], checked)
	}
	return events, err
}

func (h *hosted[S]) apply(ev Event, checked bool) error {
	return guard("apply "+ev.Type, func() (err error) {
		var twin S
		if checked {
			if twin, err = h.twin(); err != nil {
				return err
			}
		}
		if h.state, err = h.rules.Apply(h.state, ev); err != nil || !checked {
			return err
		}
		return h.same(twin, ev)
	})
}

// twin is a copy of the state.
func (h *hosted[S]) twin() (twin S, err error) {
	data, err := h.rules.Encode(h.state)
	if err != nil {
		return twin, err
	}
	h.bytes = len(data)
	return h.rules.Decode(h.rules.Version(), data)
}

// same fails when the event makes another state of the twin than it has made of
// the state.
func (h *hosted[S]) same(twin S, ev Event) error {
	twin, err := h.rules.Apply(twin, ev)
	if err != nil {
		return fmt.Errorf("applied to a copy of the state: %w", err)
	}
	got, err := h.rules.Encode(twin)
	if err != nil {
		return err
	}
	want, err := h.rules.Encode(h.state)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		// Not the states themselves: they hold what players must not see.
		at := 0
		for at < len(got) && at < len(want) && got[at] == want[at] {
			at++
		}
		return fmt.Errorf("%s makes %d bytes of a state and %d of its copy, which differ from byte %d on: rules must be pure, and Encode must write down all that they go by", ev.Type, len(want), len(got), at)
	}
	return nil
}

func (h *hosted[S]) timer() (at int64, err error) {
	err = guard("ask for the timer", func() error { at = h.rules.Timer(h.state); return nil })
	return at, err
}

func (h *hosted[S]) busy() (busy bool, err error) {
	err = guard("ask whether it is busy", func() error { busy = h.rules.Busy(h.state); return nil })
	return busy, err
}

func (h *hosted[S]) view(uid string) (data json.RawMessage, err error) {
	err = guard("show the state", func() (err error) { data, err = json.Marshal(h.rules.View(h.state, uid)); return err })
	return data, err
}

func (h *hosted[S]) admit(u User) error {
	return guard("admit a user", func() error {
		if err := h.rules.Admit(h.state, u); err != nil {
			return Refuse("%v", err)
		}
		return nil
	})
}

// label fails without the table being broken: it changes nothing.
func (h *hosted[S]) label() (data json.RawMessage, err error) {
	err = guard("make the label", func() (err error) {
		label := h.rules.Label(h.state)
		if label == nil {
			return nil
		}
		if data, err = json.Marshal(label); err == nil && len(data) > MaxLabel {
			return fmt.Errorf("the label has %d bytes, and may have %d", len(data), MaxLabel)
		}
		return err
	})
	return data, err
}

func (h *hosted[S]) encode() (data []byte, err error) {
	err = guard("encode the state", func() (err error) { data, err = h.rules.Encode(h.state); return err })
	h.bytes = len(data)
	return data, err
}

func (h *hosted[S]) size() int { return h.bytes }

func (h *hosted[S]) restore(version int, data []byte) error {
	h.bytes = len(data)
	return guard("decode a state", func() (err error) { h.state, err = h.rules.Decode(version, data); return err })
}
