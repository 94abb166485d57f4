package wire

import "encoding/json"

// TypeBatch is several events of one step of a table.
const TypeBatch = "batch"

// BatchedEvent is one event of a batch.
type BatchedEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// StoredBatch is a single event as it is, and several as one batch.
func StoredBatch(events []BatchedEvent) Stored {
	if len(events) == 1 {
		return Stored{typ: []byte(events[0].Type), payload: events[0].Payload}
	}
	return Stored{typ: []byte(TypeBatch), payload: MarshalPayload(map[string]any{"events": events})}
}
