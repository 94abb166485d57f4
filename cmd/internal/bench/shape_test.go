package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every server gets the same payload, which is what the shape says.
func TestShapes(t *testing.T) {
	const size = 200
	for _, shape := range shapeNames {
		t.Run(shape, func(t *testing.T) {
			n := size
			if sized(shape) {
				n = textSize(shape)
			}
			var first map[string]any
			for name, d := range map[string]dialect{"roomd": roomdDialect, "plain": plainDialect, "socketio": socketIODialect, "signals": {ids: true, signals: true}} {
				tpl := d.template(shape, n)
				frame := tpl.append(nil, stamp{sender: 3, number: 0xabc})
				if len(frame) > 16<<10 {
					t.Errorf("%s: a message of %d bytes; servers take 16 KiB", name, len(frame))
				}
				text := clientText(t, frame)
				if s, _, ok := findStamp(text, 0); !ok || s.number != 0xabc {
					t.Errorf("%s: no stamp in %.80s", name, text)
				}
				payload := payloadOf(t, text)
				message, _ := payload["message"].(string)
				if len(message) != n {
					t.Errorf("%s: the text has %d bytes, want %d", name, len(message), n)
				}
				if first == nil {
					first = payload
				} else if fmt.Sprint(payload) != fmt.Sprint(first) {
					t.Errorf("%s: the payload is %v, another server's %v", name, payload, first)
				}
				other := string(clientText(t, tpl.append(nil, stamp{sender: 3, number: 0xabd})))
				if other == string(text) {
					t.Errorf("%s: two messages are the same", name)
				}
			}
			message, _ := first["message"].(string)
			_, deep := first["data"].(map[string]any)
			for what, is := range map[string]bool{
				Braces: strings.Count(message, "{") > 3, Nested: deep, CJK: utf8.RuneCountInString(message) < n*2/3,
			} {
				if is != (what == shape) {
					t.Errorf("it is %s: %v", what, is)
				}
			}
		})
	}
}

// payloadOf finds the payload in a message of either dialect.
func payloadOf(t *testing.T, text []byte) (payload map[string]any) {
	t.Helper()
	var event struct{ Payload map[string]any }
	if body, ok := strings.CutPrefix(string(text), `42["send_message",`); ok {
		if err := json.Unmarshal([]byte(strings.TrimSuffix(body, "]")), &payload); err != nil {
			t.Fatalf("%v in %.80s", err, text)
		}
		return payload
	}
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatalf("%v in %.80s", err, text)
	}
	return event.Payload
}

func TestShapedTextHasItsSize(t *testing.T) {
	for _, shape := range shapeNames {
		for size := stampChars; size < stampChars+100; size++ {
			if text := shapedText(shape, size); len(text) != size || !utf8.ValidString(text) {
				t.Errorf("%s of %d bytes: %q", shape, size, text)
			}
		}
	}
}

// No load may be so far ahead that a healthy member's queue is full.
func TestLongMessagesAreFewerAhead(t *testing.T) {
	for _, shape := range shapeNames {
		for _, mode := range []string{Fanout, Rooms} {
			l := load{Mode: mode, Shape: shape}
			l.defaults()
			if err := l.check(); err != nil {
				t.Errorf("%s %s: %v", mode, shape, err)
			}
			if waiting := int(l.behind(0)) * (l.Size + frameExtra); waiting > maxBehindBytes || l.Ahead == 0 {
				t.Errorf("%s %s: %d bytes may wait for a member, ahead by %d", mode, shape, waiting, l.Ahead)
			}
		}
	}
}
