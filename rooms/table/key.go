package table

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Key tells whether a command came before: a hash of who sent it and of its id.
// 64 bits are enough: that two of the commands that a table remembers share one
// has a chance of one in 10^14, and whose ids they are nobody else can choose.
type Key uint64

// KeyOf is the key of a command with an id; scope keeps the ids of users, and of
// services, apart.
func KeyOf(scope From, uid, id string) Key {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %s %s", scope, len(uid), uid, id)
	return Key(binary.BigEndian.Uint64(h.Sum(nil)))
}

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, binary.BigEndian.AppendUint64(nil, uint64(k))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil || len(b) != 8 {
		return fmt.Errorf("table: %q is no key", text)
	}
	*k = Key(binary.BigEndian.Uint64(b))
	return nil
}
