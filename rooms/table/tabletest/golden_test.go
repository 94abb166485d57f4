package tabletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// laterBooks are books of another version, which know what was written down by
// which one.
type laterBooks struct {
	books
	version int
	reads   func(version int, data []byte) (*book, error) // nil: as books do
}

func (b laterBooks) Version() int { return b.version }
func (b laterBooks) Decode(version int, data []byte) (*book, error) {
	if b.reads == nil {
		return b.books.Decode(version, data)
	}
	return b.reads(version, data)
}

// totals is the state with a field that has another name.
func totals(s *book) ([]byte, error) {
	data, err := json.Marshal(s)
	return bytes.Replace(data, []byte(`"sums"`), []byte(`"totals"`), 1), err
}

func ofTotals(data []byte) (*book, error) {
	s := newBook()
	return s, json.Unmarshal(bytes.Replace(data, []byte(`"totals"`), []byte(`"sums"`), 1), s)
}

func onlyTotals(_ int, data []byte) (*book, error) {
	return ofTotals(bytes.Replace(data, []byte(`"sums"`), []byte(`"lost"`), 1))
}

// foundIn is what is wrong with rules beside the logs in dir.
func foundIn[S any](t *testing.T, rules table.Rules[S], dir string) error {
	t.Helper()
	return bubble(t, func() error { return goldens(rules, dir, script) })
}

// TestGoldens: the first time the log is written and the test fails; then a change
// of what is stored, or of what it means, is found, unless the version says so and
// the rules know both.
func TestGoldens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "testdata")
	if err := foundIn(t, books{}, dir); err == nil || !strings.Contains(err.Error(), "log-v1.json is written now") {
		t.Fatalf("the first time: %v", err)
	}
	Goldens(t, books{}, dir, script...)
	for name, c := range map[string]struct {
		rules table.Rules[*book]
		says  string
	}{
		"a field has another name": {books{encode: totals, decode: ofTotals}, "what version 1 writes has changed; raise Version"},
		"a field is new": {books{encode: func(s *book) ([]byte, error) {
			data, err := json.Marshal(s)
			return append(data[:len(data)-1], `,"more":0}`...), err
		}}, "what version 1 writes has changed"},
		"a field is not read": {books{decode: func(data []byte) (*book, error) {
			s := newBook()
			err := json.Unmarshal(data, s)
			s.Bell = 7
			return s, err
		}}, "what version 1 writes has changed"},
		"Apply does something else": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s, err := add(s, ev)
			s.Sums["all"]++
			return s, err
		}}, "from the first event the state after event"},
		"Apply does not know a type": {books{apply: func(s *book, ev table.Event) (*book, error) { return s, errors.New("what is that?") }}, "what is that?"},
		"Apply panics":               {books{apply: func(s *book, ev table.Event) (*book, error) { panic("old") }}, "panic: old"},
		"Decide panics behind the log": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if c.Type == "add" && len(s.Sums) > 0 {
				panic("behind it")
			}
			return nil, nil
		}}, "behind it"},
	} {
		if err := foundIn(t, c.rules, dir); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: found %v, want %q", name, err, c.says)
		}
	}
}

// TestGoldensOfEarlierVersions: the next version reads what this one has written.
func TestGoldensOfEarlierVersions(t *testing.T) {
	dir := t.TempDir()
	first := books{}
	second := laterBooks{books: books{encode: totals}, version: 2, reads: onlyTotals}
	for _, err := range []error{foundIn(t, first, dir), foundIn(t, second, dir)} {
		if err == nil || !strings.Contains(err.Error(), "is written now") {
			t.Fatal(err)
		}
	}
	if err := foundIn(t, second, dir); err == nil || !strings.Contains(err.Error(), "log-v1.json") || !strings.Contains(err.Error(), "differs") {
		t.Errorf("one that does not read both: %v", err)
	}
	second.reads = func(version int, data []byte) (*book, error) {
		if version == 1 {
			return first.Decode(1, data)
		}
		return ofTotals(data)
	}
	Goldens(t, second, dir, script...)
	if err := os.Remove(filepath.Join(dir, "log-v1.json")); err != nil {
		t.Fatal(err)
	}
	if err := foundIn(t, first, dir); err == nil || !strings.Contains(err.Error(), "is written now") {
		t.Fatal(err)
	}
	if err := foundIn(t, first, dir); err == nil || !strings.Contains(err.Error(), "it is of version 2") {
		t.Errorf("rules that went back: %v", err)
	}
}

// TestGoldensInBinary: a state need not be JSON.
func TestGoldensInBinary(t *testing.T) {
	dir := t.TempDir()
	flipped := func(data []byte) []byte {
		for i := range data {
			data[i] ^= 0xff
		}
		return data
	}
	rules := books{
		encode: func(s *book) ([]byte, error) { data, err := json.Marshal(s); return flipped(data), err },
		decode: func(data []byte) (*book, error) {
			s := newBook()
			return s, json.Unmarshal(flipped(bytes.Clone(data)), s)
		},
	}
	if err := foundIn(t, rules, dir); err == nil || !strings.Contains(err.Error(), "is written now") {
		t.Fatal(err)
	}
	Goldens(t, rules, dir, script...)
	if err := foundIn(t, books{}, dir); err == nil {
		t.Error("rules that write JSON read it")
	}
}
