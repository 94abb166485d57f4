package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// setting is a key of the configuration file with its value.
type setting struct {
	key   string
	value any
	line  int // of the key, from 1
}

// readFile reads a JSON object of flags by name, which may be written with "_"
// instead of "-".
func readFile(names []string, path string) (map[string]any, error) {
	mistake := func(format string, args ...any) error {
		return &FlagError{Flag: "config", Problem: fmt.Sprintf(format, args...)}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, mistake("the file cannot be read: %v", err)
	}
	settings, err := readSettings(data)
	if err != nil {
		return nil, mistake("%s %v", path, err)
	}
	set, seen := make(map[string]any), make(map[string]setting)
	for _, s := range settings {
		flag := strings.ReplaceAll(s.key, "_", "-")
		switch {
		case slices.Contains(secretFlags, flag):
			return nil, mistake("%s line %d holds %q; secrets come from %s in the environment or from %q", path, s.line, s.key, EnvName(flag), flag+"-file")
		case flag == "config" || !slices.Contains(names, flag):
			like := nearest(flag, names)
			if like != "" {
				like = strconv.Quote(like)
			}
			return nil, mistake("%s line %d holds %q, which%s", path, s.line, s.key, noFlag(like))
		}
		if first, twice := seen[flag]; twice {
			return nil, mistake("%s holds %q twice, %s; keep one", path, flag, places(first, s))
		}
		seen[flag] = s
		if set[flag], err = plain(s.value); err != nil {
			return nil, mistake("%s line %d: %q %v", path, s.line, s.key, err)
		}
	}
	return set, nil
}

// places describes the two lines of a duplicate key.
func places(first, second setting) string {
	where := fmt.Sprintf("in line %d", first.line)
	if second.line != first.line {
		where = fmt.Sprintf("in lines %d and %d", first.line, second.line)
	}
	if first.key != second.key {
		where += fmt.Sprintf(", as %q and %q", first.key, second.key)
	}
	return where
}

// readSettings reads a JSON object key by key, to detect duplicates.
func readSettings(data []byte) ([]setting, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	line := func() int { return 1 + bytes.Count(data[:decoder.InputOffset()], []byte{'\n'}) }
	noObject := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("is no JSON object (line %d: %w); write one such as {\"addr\": \"localhost:3000\"}", line(), err)
	}
	open, err := decoder.Token()
	if err != nil {
		return nil, noObject(err)
	}
	if open != json.Delim('{') {
		return nil, noObject(errors.New("it does not begin with {"))
	}
	var settings []setting
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, noObject(err)
		}
		s := setting{line: line()}
		s.key, _ = name.(string) // a name is always one
		if err := decoder.Decode(&s.value); err != nil {
			return nil, noObject(err)
		}
		settings = append(settings, s)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, noObject(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("goes on after its JSON object; keep one")
	}
	return settings, nil
}

// plain converts a JSON value to what kong accepts: a string, or a list of
// strings.
func plain(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return fmt.Sprint(value), nil
	case []any:
		for _, item := range value {
			if _, ok := item.(string); !ok {
				return nil, errors.New("is a list of something else than text; write a list such as [\"https://example.com\"]")
			}
		}
		return value, nil
	}
	return nil, errors.New("is no text, number, true, false or list of texts; write one of these, or leave it out")
}
