package node

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var _, _ encoding.TextUnmarshaler = (*Size)(nil), (*Sync)(nil)

// Size is a number of bytes, written 16384, 64KB (thousands) or 16KiB (1024s).
type Size int64

var units = map[string]float64{
	"": 1, "b": 1,
	"k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20, "gi": 1 << 30, "gib": 1 << 30, "ti": 1 << 40, "tib": 1 << 40,
}

// UnmarshalText reads a size; it takes any case, a space before the unit and a
// fraction of a unit, but no fraction of a byte.
func (s *Size) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	bytes, ok := parseSize(strings.TrimPrefix(word, "-"))
	switch {
	case !ok:
		return fmt.Errorf("%q is no size", text)
	case strings.HasPrefix(word, "-"):
		return fmt.Errorf("%q is negative", text)
	case bytes >= math.MaxInt64:
		return fmt.Errorf("%q is too large", text)
	}
	*s = Size(bytes)
	return nil
}

// parseSize reads a number and a unit.
func parseSize(word string) (bytes float64, ok bool) {
	digits := strings.TrimRight(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(word[len(digits):]))]
	number, err := strconv.ParseFloat(digits, 64)
	bytes = number * unit
	return bytes, known && err == nil && strings.Trim(digits, "0123456789.") == "" && bytes == math.Trunc(bytes)
}

// String writes whole 1024s as such and everything else as plain bytes;
// UnmarshalText reads it back.
func (s Size) String() string {
	for _, u := range []struct {
		name string
		size Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Sync is when the log is synced to disk: periodically, or before each
// acknowledgement.
type Sync struct {
	Every  time.Duration
	Always bool
}

// UnmarshalText reads "always" or a duration.
func (s *Sync) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*s = Sync{Always: true}
		return nil
	}
	every, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration", text)
	}
	*s = Sync{Every: every}
	return nil
}

func (s Sync) String() string {
	if s.Always {
		return "always"
	}
	return s.Every.String()
}
