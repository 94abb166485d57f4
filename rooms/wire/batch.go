package wire

import (
	"encoding/json"
	"fmt"
)

// TypeBatch is several events of one step of a table.
const TypeBatch = "batch"

// Batch is the payload of TypeBatch: what was decided at once, in order. A
// position never lies inside it.
type Batch struct {
	Events []BatchedEvent `json:"events"`
}

// BatchedEvent is one event of a batch.
type BatchedEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// EachOf returns the events of a batch, each with its room, sequence and time; any
// other event as it is. An error says that the payload of a batch is none.
func EachOf(ev Event) ([]Event, error) {
	if ev.Type != TypeBatch {
		return []Event{ev}, nil
	}
	var b Batch
	if err := json.Unmarshal(ev.Payload, &b); err != nil {
		return nil, fmt.Errorf("wire: read the batch at %d: %w", ev.Seq, err)
	}
	list := make([]Event, len(b.Events))
	for i, one := range b.Events {
		list[i] = Event{Type: one.Type, Room: ev.Room, Seq: ev.Seq, At: ev.At, Payload: one.Payload}
	}
	return list, nil
}

// StoredBatch is a single event as it is, and several as one batch. Their payloads
// must be valid JSON, or absent.
func StoredBatch(events []BatchedEvent) Stored {
	if len(events) == 1 {
		return Stored{typ: []byte(events[0].Type), payload: events[0].Payload}
	}
	size := len(`{"events":[]}`)
	for i := range events {
		size += len(`{"type":,"payload":},`) + stringSize(events[i].Type) + len(events[i].Payload)
	}
	payload := append(make([]byte, 0, size), `{"events":[`...)
	for i := range events {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = AppendString(append(payload, `{"type":`...), events[i].Type)
		if len(events[i].Payload) > 0 {
			payload = append(append(payload, `,"payload":`...), events[i].Payload...)
		}
		payload = append(payload, '}')
	}
	return Stored{typ: []byte(TypeBatch), payload: append(payload, `]}`...)}
}
