package table

import (
	"encoding/json"
	"fmt"
)

// Step is what one append to a table's log stores: all that was decided for the
// commands that waited. It is the body of a message on room.<room>.step.
type Step struct {
	Rules  int           `json:"rules"`            // version of the rules that decided
	Node   string        `json:"node"`             // which node did
	Prev   uint64        `json:"prev"`             // the sequence of the step before; 0: this is the first
	Now    int64         `json:"now"`              // the time of the decisions, ms since 1970
	Taken  uint64        `json:"taken,omitempty"`  // up to which sequence injected commands have been decided
	Done   []Done        `json:"done,omitempty"`   // the commands that may come again, with what became of them
	Came   []string      `json:"came,omitempty"`   // the uids of those who are there from now on, as far as the rules were told
	Gone   []string      `json:"gone,omitempty"`   // and of those who are not any more
	Events []StoredEvent `json:"events,omitempty"` // none: clients see nothing of it
}

// Done is what became of a command.
type Done struct {
	Key     Key    `json:"k"`
	Refused string `json:"r,omitempty"` // the reason; "": it was not
}

// StoredEvent is an Event in a step.
type StoredEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"` // nil while it is sealed
	To      *[]string       `json:"to,omitempty"`      // nil: everybody
	Sealed  []byte          `json:"sealed,omitempty"`  // the payload, for nodes only
}

// DecodeStep reads a step.
func DecodeStep(body []byte) (s Step, err error) {
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("table: decode a step: %w", err)
	}
	return s, nil
}
