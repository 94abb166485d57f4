package eventlog

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// ackMessage is JetStream's answer to a publish.
type ackMessage struct {
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Error     *apiError `json:"error"`
}

// apiError is JetStream's refusal of a request.
type apiError struct {
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return e.Description }

// plainAcks are the beginnings of acks that carry nothing but the sequence, by
// stream.
var plainAcks = [...][]byte{plainAck(RoomsStream), plainAck(InboxStream), plainAck(StepsStream)}

func plainAck(stream string) []byte { return []byte(`{"stream":"` + stream + `","seq":`) }

// parseAck parses an ack. Nearly all are plain, and encoding/json took 3% of
// what a published event costs.
func parseAck(data []byte) (ack ackMessage, err error) {
	for _, plain := range plainAcks {
		rest, ok := bytes.CutPrefix(data, plain)
		if !ok || len(rest) <= 1 || rest[0] == '0' {
			continue
		}
		if digits, ok := bytes.CutSuffix(rest, []byte("}")); ok && decimal(digits) {
			if ack.Seq, err = strconv.ParseUint(string(digits), 10, 64); err == nil {
				return ack, nil
			}
		}
	}
	err = json.Unmarshal(data, &ack)
	return ack, err
}

func decimal(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
