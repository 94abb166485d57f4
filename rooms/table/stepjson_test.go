package table_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// someStep draws a step in which everything may be absent, empty or odd.
func someStep(r *rand.Rand) table.Step {
	texts := []string{"", "a", "new_message", `a "quoted" \ one`, "莊家", "a\nb", "<&>", "\x7f", strings.Repeat("long ", 50)}
	payloads := []string{"", `{}`, `[]`, `""`, `{"a":[1,{"b":"]}"}],"c":"\\\"{"}`, `"\\"`, `"\\\""`, `[[],{"x":[]}]`, ` { "a" : 1 } `, `7`, `null`, `true`, `{"莊":"\u0000"}`}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	s := table.Step{Rules: r.IntN(3), Node: pick(texts), Prev: r.Uint64() >> r.IntN(64), Now: r.Int64N(2e12) - 10, Taken: r.Uint64() >> (r.IntN(2) * 64), TakenAt: r.Int64N(2e12) >> (r.IntN(2) * 63)}
	for range r.IntN(3) {
		s.Done = append(s.Done, table.Done{Key: table.Key(r.Uint64()), Refused: pick(texts)})
	}
	for _, list := range []*[]string{&s.Came, &s.Gone} {
		for range r.IntN(3) {
			*list = append(*list, pick(texts))
		}
	}
	for range r.IntN(4) {
		ev := table.StoredEvent{Type: pick(texts), Sealed: r.IntN(3) == 0}
		if p := pick(payloads); p != "" {
			ev.Payload = json.RawMessage(p)
		}
		if r.IntN(3) == 0 {
			to := make([]string, r.IntN(3))
			for i := range to {
				to[i] = pick(texts)
			}
			ev.To = &to
		}
		s.Events = append(s.Events, ev)
	}
	if r.IntN(3) == 0 {
		s.Hidden = []byte(pick(texts))
		if len(s.Hidden) == 0 {
			s.Hidden = nil
		}
	}
	return s
}

// What is written by hand means what encoding/json reads in it, and both read what
// was written.
func TestStepsAreReadAsWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tried := map[string]bool{}
	for range 20_000 {
		want := someStep(r)
		for i := range reflect.TypeFor[table.Step]().NumField() {
			if !reflect.ValueOf(want).Field(i).IsZero() {
				tried[reflect.TypeFor[table.Step]().Field(i).Name] = true
			}
		}
		body, err := want.Encode()
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		var slow table.Step
		if err := json.Unmarshal(body, &slow); err != nil {
			t.Fatalf("encoding/json: %v\n%s", err, body)
		}
		got, err := table.DecodeStep(body)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		for _, s := range []*table.Step{&want, &slow, &got} {
			for i := range s.Events {
				s.Events[i].Payload = bytes.TrimSpace(s.Events[i].Payload) // where it ends is not told apart
			}
		}
		if !reflect.DeepEqual(slow, want) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nwas  %+v\njson %+v\nread %+v", body, want, slow, got)
		}
	}
	if len(tried) != reflect.TypeFor[table.Step]().NumField() {
		t.Errorf("only %v of a step were tried", tried)
	}
}

// A text that was not written by hand is read as encoding/json reads it, or not at
// all.
func FuzzDecodeStep(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		s := someStep(r)
		if body, err := s.Encode(); err == nil {
			f.Add(body)
		}
	}
	f.Add([]byte(`{"rules":01,"node":"a","prev":0,"now":0}`))
	f.Add([]byte(`{"rules":1,"node":"a","prev":99999999999999999999,"now":0}`))
	f.Add([]byte(`{"rules":1,"node":"a","prev":0,"now":0,"done":[]}`))
	f.Add([]byte(`{"rules":1,"node":"a","prev":0,"now":0,"events":[{"type":"a","payload":{"x":"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := table.DecodeStep(body)
		if !json.Valid(body) {
			return // a node signs what it writes: that is not checked twice
		}
		var want table.Step
		if wantErr := json.Unmarshal(body, &want); (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, %v; encoding/json: %+v, %v", body, got, err, want, wantErr)
		}
	})
}

func TestStepOfNoJSON(t *testing.T) {
	for _, payload := range []string{"x", `{"a":}`, `{`, `{} {}`} {
		s := table.Step{Events: []table.StoredEvent{{Type: "odd", Payload: json.RawMessage(payload)}}}
		if body, err := s.Encode(); err == nil || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s was encoded: %s, %v", payload, body, err)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	s := table.Step{Rules: 1, Node: "jrnmtJY7", Prev: 123_456, Now: 1_800_000_000_000, Done: []table.Done{{Key: table.KeyOf(table.FromUser, "a", "b")}},
		Events: []table.StoredEvent{{Type: "new_message", Payload: json.RawMessage(`{"message":"` + strings.Repeat("x", 128) + `","from":"percy","uid":"guest-aaaaaaaaaaaaaaaa","time":1800000000000,"guest":true}`)}}}
	body, err := s.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := table.DecodeStep(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode by encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var s table.Step
			if err := json.Unmarshal(body, &s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
