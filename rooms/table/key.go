package table

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
)

// Key tells whether a command came before: a hash of who sent it and of its id.
// 64 bits are enough: that two of the commands that a table remembers share one
// has a chance of one in 10^14, and whose ids they are nobody else can choose.
type Key uint64

// KeyOf is the key of a command with an id; scope keeps the ids of users, and of
// services, apart.
func KeyOf(scope From, uid, id string) Key {
	var space [128]byte
	text := append(strconv.AppendUint(space[:0], uint64(scope), 10), ' ')
	text = append(strconv.AppendInt(text, int64(len(uid)), 10), ' ')
	text = append(append(append(text, uid...), ' '), id...)
	sum := sha256.Sum256(text)
	return Key(binary.BigEndian.Uint64(sum[:]))
}

// keyChars is the length of a key as text.
const keyChars = 11

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return k.appendText(nil), nil }

func (k Key) appendText(dst []byte) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(k))
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(text []byte) error {
	var space [16]byte
	b, err := base64.RawURLEncoding.AppendDecode(space[:0], text)
	if err != nil || len(b) != 8 {
		return fmt.Errorf("table: %q is no key", text)
	}
	*k = Key(binary.BigEndian.Uint64(b))
	return nil
}
