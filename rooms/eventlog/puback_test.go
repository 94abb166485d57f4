package eventlog

import (
	"encoding/json"
	"reflect"
	"testing"
)

var acks = []string{
	`{"stream":"ROOMS","seq":1}`, `{"stream":"INBOX","seq":3}`, `{"stream":"ROOMS","seq":18446744073709551615}`, `{"stream":"ROOMS","seq":18446744073709551616}`,
	`{"stream":"ROOMS","seq":12,"duplicate":true}`, `{"stream":"ROOMS","domain":"d","seq":7}`, `{"stream":"OTHER","seq":7}`,
	`{"stream":"ROOMS","seq":}`, `{"stream":"ROOMS","seq":0}`, `{"stream":"ROOMS","seq":007}`, `{"stream":"ROOMS","seq":-1}`,
	`{"stream":"ROOMS","seq":1}}`, `{"stream":"ROOMS","seq":1,"seq":2}`, `{"stream":"ROOMS","seq":1e3}`, `{"stream":"ROOMS","seq":1`,
	`{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"ROOMS","seq":0}`, ``, `null`, `[]`,
}

// What encoding/json makes of an ack is what parseAck makes of it.
func FuzzParseAck(f *testing.F) {
	for _, ack := range acks {
		f.Add([]byte(ack))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want ackMessage
		wantErr := json.Unmarshal(data, &want)
		got, err := parseAck(data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("parseAck(%q) fails with %v, encoding/json with %v", data, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("parseAck(%q) is %+v, encoding/json says %+v", data, got, want)
		}
	})
}

func BenchmarkParseAck(b *testing.B) {
	data := []byte(`{"stream":"ROOMS","seq":123456789}`)
	b.Run("parseAck", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parseAck(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var ack ackMessage
			if err := json.Unmarshal(data, &ack); err != nil {
				b.Fatal(err)
			}
		}
	})
}
