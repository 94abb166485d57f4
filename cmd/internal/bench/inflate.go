package bench

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

// messageEnd is what a compressed message was sent without, and an empty last
// block: RFC 7692 section 7.2.2.
const messageEnd = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// knownMessages is how many inflated messages are kept.
const knownMessages = 1024

// inflater reads compressed messages. All members of a room get the same bytes,
// so that inflating them once is enough: it is the server that is measured.
// Owned by a reader.
type inflater struct {
	r     io.ReadCloser
	known map[string][]byte
}

// inflate returns the text of a compressed message, which nobody may change.
func (i *inflater) inflate(packed []byte) ([]byte, error) {
	if text, ok := i.known[string(packed)]; ok {
		return text, nil
	}
	src := io.MultiReader(bytes.NewReader(packed), strings.NewReader(messageEnd))
	if i.r == nil {
		i.r = flate.NewReader(src)
	} else if err := i.r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, fmt.Errorf("inflate a message: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(i.r, readBuffer))
	if err != nil {
		return nil, fmt.Errorf("inflate a message of the server: %w", err)
	}
	if i.known == nil || len(i.known) >= knownMessages {
		i.known = make(map[string][]byte, knownMessages)
	}
	i.known[string(packed)] = text
	return text, nil
}
