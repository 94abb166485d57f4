package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"
)

// slowStored is the model of ReadStored and AppendFrame: the event that clients
// see of a body, made with encoding/json and maps. ok is false for what is no
// event.
func slowStored(body []byte, label string) (event map[string]any, ok bool) {
	if !utf8.Valid(body) || !json.Valid(body) || depth(body) > MaxDepth || !onceEach(body) {
		return nil, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return nil, false
	}
	id, okID := slowString(fields["id"])
	typ, okType := slowString(fields["type"])
	_, okRoom := slowString(fields["room"])
	if !okID || !ValidID(id) || !okType || !ValidType(typ) || !okRoom || Reserved(typ) {
		return nil, false
	}
	event = map[string]any{"type": typ, "seq": 5, "at": 1795176000123}
	if label != "" {
		event["room"] = label
	}
	var payload any
	if raw := fields["payload"]; raw != nil && decodeExact(raw, &payload) != nil {
		return nil, false
	}
	if typ == TypeNewMessage || typ == TypePrivateMessage {
		message, isObject := payload.(map[string]any)
		if !isObject {
			return nil, false
		}
		complete(message, label)
	}
	if payload != nil {
		event["payload"] = payload
	}
	return event, true
}

// decodeExact keeps numbers as they are written.
func decodeExact(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

func complete(message map[string]any, label string) {
	at, _ := time.Parse(time.RFC3339Nano, shapeTime)
	for name, value := range map[string]any{"room_id": label, "sent": shapeTime, "time": at.UnixMilli()} {
		if _, ok := message[name]; !ok {
			message[name] = value
		}
	}
}

// slowString reads a string that holds characters only.
func slowString(raw json.RawMessage) (string, bool) {
	if raw == nil || string(raw) == "null" {
		return "", true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	// encoding/json makes U+FFFD of half a pair; one that was sent stays.
	sent := bytes.Count(raw, []byte("\ufffd")) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
	return s, bytes.Count([]byte(s), []byte("\ufffd")) <= sent
}

func depth(body []byte) int {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	now, most := 0, 0
	for {
		switch token, err := d.Token(); {
		case err != nil:
			return most
		case token == json.Delim('{') || token == json.Delim('['):
			now++
			most = max(most, now)
		case token == json.Delim('}') || token == json.Delim(']'):
			now--
		}
	}
}

// onceEach reports whether each of an event's own names is there once at most.
func onceEach(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	var seen []string
	for d.More() {
		name, err := d.Token()
		var skipped json.RawMessage
		if err != nil || d.Decode(&skipped) != nil {
			return false
		}
		switch s, _ := name.(string); s {
		case "type", "id", "room", "seq", "at", "payload":
			if slices.Contains(seen, s) {
				return false
			}
			seen = append(seen, s)
		}
	}
	return true
}
