package wire

import "encoding/json"

// TypeBatch is several events of one step of a table.
const TypeBatch = "batch"

// BatchedEvent is one event of a batch.
type BatchedEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
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
