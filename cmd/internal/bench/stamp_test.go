package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestStampIsFoundAgain(t *testing.T) {
	want := stamp{sender: 0xbeef, number: 4_000_000_000, sent: 70 * time.Hour}
	text := make([]byte, stampChars+5)
	want.put(text)
	frame := append([]byte(`{"type":"new_message","payload":{"from":"bench","message":"`), text...)
	frame = append(frame, `"}}`...)
	where := bytes.Index(frame, mark)
	for _, hint := range []int{0, where, where - 1, len(frame) - 3, len(frame), 1000} {
		got, at, ok := findStamp(frame, hint)
		if !ok || got != want || at != where {
			t.Errorf("hint %d: got %v at %d, %v; want %v at %d", hint, got, at, ok, want, where)
		}
	}
}

func TestNoStamp(t *testing.T) {
	good := make([]byte, stampChars)
	stamp{}.put(good)
	for _, text := range []string{
		``, `"bench `, `{"message":"hello"}`, `{"username":"bench"}`,
		`"` + string(good[:stampChars-1]), string(good),
	} {
		if s, _, ok := findStamp([]byte(text), 0); ok {
			t.Errorf("found %v in %q", s, text)
		}
	}
}

func TestTemplates(t *testing.T) {
	for name, d := range map[string]dialect{"roomd": roomdDialect, "plain": plainDialect, "socketio": socketIODialect} {
		t.Run(name, func(t *testing.T) {
			const size = 128
			tpl := d.template(Plain, size)
			first := string(tpl.append(nil, stamp{number: 1}))
			second := tpl.append([]byte("kept"), stamp{sender: 3, number: 0xabc, sent: time.Second})
			if string(second[:4]) != "kept" || len(second) != len(first)+4 {
				t.Fatalf("a message does not follow what was there: %q", second)
			}
			text := clientText(t, second[4:])
			if s, _, ok := findStamp(text, 0); !ok || s != (stamp{sender: 3, number: 0xabc, sent: time.Second}) {
				t.Errorf("the stamp of %s is %v %v", text, s, ok)
			}
			event := struct {
				Type    string
				ID      string
				Payload struct{ Message string }
			}{}
			if d.socketIO {
				body, ok := strings.CutPrefix(string(text), `42["send_message",`)
				if !ok || json.Unmarshal([]byte(strings.TrimSuffix(body, "]")), &event.Payload) != nil {
					t.Fatalf("no Socket.IO event: %s", text)
				}
			} else if err := json.Unmarshal(text, &event); err != nil || event.Type != "send_message" {
				t.Fatalf("no event: %v in %s", err, text)
			}
			if len(event.Payload.Message) != size {
				t.Errorf("the text has %d bytes, want %d", len(event.Payload.Message), size)
			}
			if want := map[bool]string{true: "00000abc"}[d.ids]; event.ID != want {
				t.Errorf("the id is %q, want %q", event.ID, want)
			}
		})
	}
}

// clientText is what a client's frame says.
func clientText(t *testing.T, f []byte) []byte {
	t.Helper()
	f[1] &^= maskBit
	parsed, size, err := nextFrame(append(f, 0, 0, 0, 0), readBuffer)
	if err != nil || size != len(f)-4 {
		t.Fatalf("frame of %d bytes in %d: %v", size, len(f), err)
	}
	return append(parsed.data[4:len(parsed.data):len(parsed.data)], f[size:]...)
}

func BenchmarkMessage(b *testing.B) {
	text := make([]byte, 128)
	stamp{number: 7}.put(text)
	frame := serverFrame(opText, []byte(`{"type":"new_message","room":"bench-x","seq":1,"payload":{"message":"`+string(text)+`","from":"b0","sent":"2026-01-01T00:00:00Z"}}`))
	var hist histogram
	hint := 0
	for b.Loop() {
		f, _, _ := nextFrame(frame, readBuffer)
		if !roomdDialect.isMessage(f.data) {
			b.Fatal("not known as a message")
		}
		s, at, _ := findStamp(f.data, hint)
		hint = at
		hist.add(s.sent)
	}
}

func TestHex(t *testing.T) {
	var text [8]byte
	for _, v := range []uint32{0, 1, 0x9abcdef0, 0xffffffff, 0x12345678, 0xa0b0c0d0} {
		putHex(text[:], v)
		if want := fmt.Sprintf("%08x", v); string(text[:]) != want || readHex(text[:]) != v {
			t.Errorf("%x is written %s and read %x", v, text, readHex(text[:]))
		}
	}
}
