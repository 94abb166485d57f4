package wire

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

var logTimes = []string{
	shapeTime, "2026-11-20T12:00:00Z", "2026-11-20T12:00:00.1Z", "2026-11-20T12:00:00.12Z", "2026-11-20T12:00:00.9999Z",
	"2024-02-29T23:59:59.999999999Z", "2023-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "1970-01-01T00:00:00.001Z",
	"1969-12-31T23:59:59.5Z", "2026-11-20T12:00:00.123456789+08:00", "2026-11-20T12:00:00-03:30", "2026-11-20T12:00:00.Z",
	"2026-11-20T12:00:00,5Z", "2026-11-20t12:00:00z", "2026-11-20T12:00:00", "2026-11-20", "", "Z", "yesterday", "2026-11-20T12:00:00.1234567890123456789Z",
}

func TestLogMillis(t *testing.T) {
	if got := LogMillis(shapeTime); got != 1795176000123 {
		t.Errorf("%s is %d", shapeTime, got)
	}
	for _, text := range logTimes {
		sameAsParse(t, text)
	}
	for day := time.Date(0, 1, 1, 1, 2, 3, 4e6, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 97) {
		sameAsParse(t, day.Format(time.RFC3339Nano))
	}
}

func FuzzLogMillis(f *testing.F) {
	for _, text := range logTimes {
		f.Add(text)
	}
	f.Fuzz(sameAsParse)
}

// sameAsParse compares with what the standard library makes of a time.
func sameAsParse(t *testing.T, text string) {
	t.Helper()
	want := int64(0)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		want = at.UnixMilli()
	}
	if got := LogMillis(text); got != want {
		t.Errorf("%q is %d ms, want %d", text, got, want)
	}
}

// What stands in a stored event under at counts as little as its seq.
func TestAtIsTheLogs(t *testing.T) {
	const millis = 1795176000123
	for _, body := range []string{
		`{"type":"note","payload":{"at":7}}`,
		`{"type":"note","at":7,"seq":8,"payload":{"at":7}}`,
		`{"at":"never","type":"note","payload":{"at":7}}`,
		`{"\u0061t":null,"type":"note","payload":{"at":7}}`,
	} {
		st, err := ReadStored([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		want := fmt.Sprintf(`{"type":"note","room":"r","seq":5,"at":%d,"payload":{"at":7}}`, millis)
		if got := string(FramePayload(st.AppendFrame(nil, "r", 5, shapeTime))); got != want {
			t.Errorf("%s is shown as %s", body, got)
		}
		ev, err := DecodeServer([]byte(want))
		if shown := st.Event("r", 5, shapeTime); err != nil || ev.At != millis || !same(shown, ev) || !bytes.Equal(AppendEvent(nil, shown), []byte(want)) {
			t.Errorf("%s is %+v, read as %+v, %v", body, shown, ev, err)
		}
		if sent, err := Decode([]byte(want)); err != nil || sent.At != 0 {
			t.Errorf("a client's at counts: %+v, %v", sent, err)
		}
	}
	for _, bad := range []string{`{"type":"note","at":-1}`, `{"type":"note","at":"5"}`, `{"type":"note","at":1.5}`, `{"type":"note","at":9223372036854775808}`} {
		if ev, err := DecodeServer([]byte(bad)); err == nil {
			t.Errorf("%s was read as %+v", bad, ev)
		}
	}
	if _, err := Decode([]byte(`{"type":"note","at":1,"at":2}`)); codeOf(err) != BadJSON {
		t.Errorf("at twice: %v", err)
	}
}

func BenchmarkLogMillis(b *testing.B) {
	for b.Loop() {
		LogMillis(shapeTime)
	}
}
