package bench

import (
	"bytes"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// knownMessages is how many inflated messages are kept.
const knownMessages = 1024

// inflater reads compressed messages. All members of a room get the same bytes,
// so that inflating them once is enough: it is the server that is measured.
// Owned by a reader.
type inflater struct {
	wire  *wire.Inflater
	known map[string][]byte
}

// inflate returns the text of a compressed message, which nobody may change.
func (i *inflater) inflate(packed []byte) ([]byte, error) {
	if text, ok := i.known[string(packed)]; ok {
		return text, nil
	}
	if i.wire == nil {
		i.wire = wire.NewInflater()
	}
	var text bytes.Buffer
	// A copy: Append writes behind what it is given, where the next frame is.
	if err := i.wire.Append(&text, bytes.NewBuffer(bytes.Clone(packed)), readBuffer); err != nil {
		return nil, fmt.Errorf("inflate a message of the server: %w", err)
	}
	if i.known == nil || len(i.known) >= knownMessages {
		i.known = make(map[string][]byte, knownMessages)
	}
	i.known[string(packed)] = text.Bytes()
	return text.Bytes(), nil
}
