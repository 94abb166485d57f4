package table

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Step is what one append to a table's log stores: all that was decided for the
// commands that waited. It is the body of a message on room.<room>.step, where
// what is not for everybody is hidden (Hide).
type Step struct {
	Rules   int           `json:"rules"`              // version of the rules that decided
	Node    string        `json:"node"`               // which node did
	Prev    uint64        `json:"prev"`               // the sequence of the step before; 0: this is the first
	Now     int64         `json:"now"`                // the time of the decisions, ms since 1970
	Taken   uint64        `json:"taken,omitempty"`    // up to which sequence injected commands have been decided; 0: as before
	TakenAt int64         `json:"taken_at,omitempty"` // when the log of rooms has stored that one, ms since 1970
	Done    []Done        `json:"done,omitempty"`     // the commands that may come again, with what became of them
	Came    []string      `json:"came,omitempty"`     // the uids of those who are there from now on, as far as the rules were told
	Gone    []string      `json:"gone,omitempty"`     // and of those who are not any more
	Events  []StoredEvent `json:"events,omitempty"`   // none: clients see nothing of it
	Hidden  []byte        `json:"hidden,omitempty"`   // what Hide has taken out, sealed
}

// Done is what became of a command.
type Done struct {
	Key     Key    `json:"k"`
	Refused string `json:"r,omitempty"` // the reason, which is for the sender alone; "": it was not, or that is hidden
}

// StoredEvent is an Event in a step.
type StoredEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
	To      *[]string       `json:"to,omitempty"`     // nil: everybody
	Sealed  bool            `json:"sealed,omitempty"` // for nobody but the rules
}

// Open reports whether everybody may see the event.
func (s *StoredEvent) Open() bool { return s.To == nil && !s.Sealed }

// For reports whether a user may see the event.
func (s *StoredEvent) For(uid string) bool {
	return !s.Sealed && (s.To == nil || slices.Contains(*s.To, uid))
}

// hidden is what is not for everybody: events with their places among all of the
// step, and the reasons of refusals with theirs among Done.
type hidden struct {
	Events  []hiddenEvent   `json:"events,omitempty"`
	Refused []hiddenRefusal `json:"refused,omitempty"`
}

type hiddenEvent struct {
	At    int         `json:"at"`
	Event StoredEvent `json:"event"`
}

type hiddenRefusal struct {
	At     int    `json:"at"`
	Reason string `json:"reason"`
}

// Hide is the step as it may lie where others than nodes can read it: without the
// events that are not for everybody, whoever may see them, and without the reasons
// of refusals. seal makes of these what only nodes can read; it is not called when
// there are none. The step itself stays as it is.
func (s *Step) Hide(seal func(plain []byte) []byte) (Step, error) {
	var h hidden
	open := *s
	for i := range s.Events {
		if !s.Events[i].Open() {
			h.Events = append(h.Events, hiddenEvent{i, s.Events[i]})
		}
	}
	for i, d := range s.Done {
		if d.Refused != "" {
			h.Refused = append(h.Refused, hiddenRefusal{i, d.Refused})
		}
	}
	if h.Events == nil && h.Refused == nil {
		return open, nil
	}
	plain, err := json.Marshal(h)
	if err != nil {
		return open, fmt.Errorf("table: encode what is hidden of a step: %w", err)
	}
	open.Hidden = seal(plain)
	open.Events = slices.DeleteFunc(slices.Clone(s.Events), func(ev StoredEvent) bool { return !ev.Open() })
	if h.Refused != nil {
		open.Done = slices.Clone(s.Done)
		for i := range open.Done {
			open.Done[i].Refused = ""
		}
	}
	return open, nil
}

// Reveal puts back what Hide has taken out; open is the inverse of its seal.
func (s *Step) Reveal(open func(sealed []byte) ([]byte, error)) error {
	if s.Hidden == nil {
		return nil
	}
	plain, err := open(s.Hidden)
	if err != nil {
		return err
	}
	var h hidden
	if err := json.Unmarshal(plain, &h); err != nil {
		return fmt.Errorf("table: decode what is hidden of a step: %w", err)
	}
	for _, r := range h.Refused {
		if r.At < 0 || r.At >= len(s.Done) {
			return fmt.Errorf("table: a step of %d commands hides that its number %d was refused", len(s.Done), r.At)
		}
		s.Done[r.At].Refused = r.Reason
	}
	for _, e := range h.Events {
		if e.At < 0 || e.At > len(s.Events) {
			return fmt.Errorf("table: a step of %d events hides its number %d", len(s.Events), e.At)
		}
		s.Events = slices.Insert(s.Events, e.At, e.Event)
	}
	s.Hidden = nil
	return nil
}
