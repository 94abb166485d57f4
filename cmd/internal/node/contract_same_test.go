package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kinds are the fields whose values differ each time: fields of one kind have the same value where the contract writes the same.
var kinds = map[string]string{
	"seq": "seq", "before": "seq", "at": "ms", "time": "ms", "now": "ms", "closes_at": "ms", "next_at": "ms", "state_seq": "seq", "expires_in": "s", "after_ms": "wait", "active": "time", "sent": "time",
	"epoch": "epoch", "client_id": "client", "node": "node", "otp": "otp", "token": "token", "uid": "uid", "after": "uid", "next": "uid", "to_uid": "uid",
}

// same knows what stands for what: a value of the contract for one of this run.
type same struct {
	where  string
	actual map[string]map[string]any // by kind, and by how the contract writes it
}

func newSame() *same { return &same{actual: make(map[string]map[string]any)} }

// guestUID is all that the contract says of a guest's uid.
const guestUID = "guest-"

// kindOf is the kind of a field; "": it is always the same. Positions of an inbox are in a log of their own.
func kindOf(name, room string, want any) string {
	kind := kinds[name]
	text, isText := want.(string)
	switch {
	case kind == "uid" && !strings.HasPrefix(text, guestUID), isText && text == "", want == json.Number("0"):
		return ""
	case kind == "seq" && room == "@me":
		return "inbox seq"
	}
	return kind
}

// bind compares values of a kind: the first of each kind and spelling is remembered.
func (s *same) bind(kind string, want, got any) string {
	key := fmt.Sprint(want)
	known := s.actual[kind]
	if known == nil {
		known = make(map[string]any)
		s.actual[kind] = known
	}
	if was, ok := known[key]; ok {
		if was != got {
			return fmt.Sprintf("the contract has the same %s twice, %s, the server %v and %v", kind, key, was, got)
		}
		return ""
	}
	if problem := fits(kind, want, got); problem != "" {
		return problem
	}
	known[key] = got
	return s.inOrder(kind)
}

// fits says why a value is not of the kind that the contract shows.
func fits(kind string, want, got any) string {
	wantText, isText := want.(string)
	gotText, gotIsText := got.(string)
	switch _, isNumber := got.(json.Number); {
	case isText != gotIsText, !isText && !isNumber:
		return fmt.Sprintf("%v is not of the type of %v", got, want)
	case isText && gotText == "":
		return fmt.Sprintf("it is empty, as %q is not", want)
	case kind == "uid" && strings.HasPrefix(gotText, guestUID) != strings.HasPrefix(wantText, guestUID):
		return fmt.Sprintf("%v is no uid as %v is", got, want)
	case kind == "time":
		if _, err := time.Parse(time.RFC3339Nano, gotText); err != nil {
			return err.Error()
		}
	case isNumber:
		if n, err := got.(json.Number).Int64(); err != nil || n < 0 {
			return fmt.Sprintf("%v is no whole number", got)
		}
	}
	return ""
}

// inOrder looks whether numbers of a kind stand in the order that the contract has them in.
func (s *same) inOrder(kind string) string {
	if kind != "seq" && kind != "inbox seq" && kind != "ms" {
		return ""
	}
	whole := func(v any) int64 {
		n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		return n
	}
	known := s.actual[kind]
	written := slices.SortedFunc(maps.Keys(known), func(a, b string) int { return int(whole(a) - whole(b)) })
	for i := 1; i < len(written); i++ {
		before, after := whole(known[written[i-1]]), whole(known[written[i]])
		if before > after || before == after && kind != "ms" {
			return fmt.Sprintf("%s %s comes before %s in the contract, %d and %d are the server's", kind, written[i-1], written[i], before, after)
		}
	}
	return ""
}

// compare says where the two differ; "": nowhere that counts.
func (s *same) compare(room string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", got)
		}
		return s.compareObjects(room, want, got)
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return fmt.Sprintf("a list of %d was to be there", len(want))
		}
		for i := range want {
			if problem := s.compare(room, want[i], got[i]); problem != "" {
				return problem
			}
		}
		return ""
	}
	if want != got {
		return fmt.Sprintf("%v is not %v", got, want)
	}
	return ""
}

func (s *same) compareObjects(room string, want, got map[string]any) string {
	for _, in := range []map[string]any{want, got} {
		for _, name := range []string{"room", "room_id"} {
			if named, ok := in[name].(string); ok {
				room = named
			}
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return fmt.Sprintf("the contract does not know the field %q", name)
		}
	}
	_, isError := want["code"]
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[name]
		if !ok {
			return fmt.Sprintf("the field %q is missing", name)
		}
		problem := ""
		if kind := kindOf(name, room, want[name]); isError && name == "message" {
			problem = fits("sentence", want[name], value)
		} else if kind != "" {
			problem = s.bind(kind, want[name], value)
		} else {
			problem = s.compare(room, want[name], value)
		}
		if problem != "" {
			return name + ": " + problem
		}
	}
	return ""
}

// actually is a value that is to be sent, with what stands for what the contract writes.
func (s *same) actually(room string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if named, ok := v["room"].(string); ok {
			room = named
		}
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = s.actually(room, value)
			if known, ok := s.actual[kindOf(name, room, value)][fmt.Sprint(value)]; ok {
				out[name] = known
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.actually(room, v[i])
		}
		return out
	}
	return v
}

var (
	inResume = regexp.MustCompile(`([^:,=&]+):(\w+):(\d+)`)
	inQuery  = regexp.MustCompile(`\b(otp|before|after)=([^&]+)`)
)

// address is a path with what stands for what the contract writes.
func (s *same) address(path string) string {
	known := func(kind, text string) string {
		if value, ok := s.actual[kind][text]; ok {
			return fmt.Sprint(value)
		}
		return text
	}
	path = inResume.ReplaceAllStringFunc(path, func(item string) string {
		part := inResume.FindStringSubmatch(item)
		return part[1] + ":" + known("epoch", part[2]) + ":" + known(kindOf("seq", part[1], json.Number(part[3])), part[3])
	})
	return inQuery.ReplaceAllStringFunc(path, func(item string) string {
		name, value, _ := strings.Cut(item, "=")
		return name + "=" + known(kinds[name], value)
	})
}

// decodeText reads JSON and keeps numbers as they are written.
func decodeText(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = fmt.Errorf("more than one value in %s", text)
	}
	return v, err
}

func jsonText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// A comparison that passes over something would prove nothing.
func TestContractComparison(t *testing.T) {
	for _, tc := range []struct{ want, got, problem string }{
		{`{"type":"a","seq":7,"at":5}`, `{"type":"a","seq":70,"at":50}`, ""},
		{`{"type":"a"}`, `{"type":"a","b":1}`, `does not know the field "b"`},
		{`{"type":"a","b":1}`, `{"type":"a"}`, `"b" is missing`},
		{`{"b":1}`, `{"b":2}`, "2 is not 1"},
		{`{"b":1}`, `{"b":"1"}`, "1 is not 1"},
		{`{"b":[{"seq":1}]}`, `{"b":[]}`, "a list of 1"},
		{`{"b":{}}`, `{"b":[]}`, "no object"},
		{`{"seq":0}`, `{"seq":1}`, "1 is not 0"},
		{`{"seq":7}`, `{"seq":"7"}`, "not of the type"},
		{`{"seq":7}`, `{"seq":-7}`, "no whole number"},
		{`{"seq":7}`, `{"seq":1.5}`, "no whole number"},
		{`[{"seq":7},{"seq":7}]`, `[{"seq":1},{"seq":2}]`, "the same seq twice"},
		{`[{"seq":7},{"seq":8}]`, `[{"seq":2},{"seq":1}]`, "comes before"},
		{`[{"seq":7},{"seq":8}]`, `[{"seq":2},{"seq":2}]`, "comes before"},
		{`[{"room":"@me","seq":7},{"room":"a","seq":7}]`, `[{"room":"@me","seq":1},{"room":"a","seq":2}]`, ""},
		{`{"uid":"guest-a"}`, `{"uid":"guest-b"}`, ""},
		{`{"uid":"guest-a"}`, `{"uid":"alice"}`, "no uid"},
		{`{"uid":"alice"}`, `{"uid":"bob"}`, "bob is not alice"},
		{`{"sent":"2026-11-20T23:33:27Z"}`, `{"sent":"today"}`, "cannot parse"},
		{`{"epoch":"a"}`, `{"epoch":""}`, "empty"},
		{`{"code":"busy","message":"a"}`, `{"code":"busy","message":"b"}`, ""},
		{`{"code":"busy","message":"a"}`, `{"code":"busy","message":""}`, "empty"},
		{`{"message":"a"}`, `{"message":"b"}`, "b is not a"},
	} {
		want, err := decodeText(tc.want)
		got, errGot := decodeText(tc.got)
		if err != nil || errGot != nil {
			t.Fatal(err, errGot)
		}
		problem := newSame().compare("", want, got)
		if tc.problem == "" && problem != "" || !strings.Contains(problem, tc.problem) {
			t.Errorf("%s and %s: %q, want %q", tc.want, tc.got, problem, tc.problem)
		}
	}
}
