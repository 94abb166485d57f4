package presence

import (
	"fmt"
	"strconv"
)

// Boot tells a process from the others that have run, or run, under the same
// node's name. It is drawn at random when the process starts: it says nothing
// of which of two came first, so no clock can make it wrong. Which of them
// lives is for [Peers] to say. Zero is a node of version 0, which has none.
//
// In JSON it is sixteen hexadecimal digits: not every reader of JSON keeps 64
// bits of a number.
type Boot uint64

// MarshalText writes b in hexadecimal.
func (b Boot) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(b)), nil }

// UnmarshalText reads what MarshalText wrote.
func (b *Boot) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil {
		return fmt.Errorf("presence: a boot of %d characters: it must be up to 16 hexadecimal digits", len(text))
	}
	*b = Boot(n)
	return nil
}
