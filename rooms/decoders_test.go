package rooms

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// FuzzMac: only what a node has signed is believed, in that room, for that
// purpose, with that body and as that kind of author.
func FuzzMac(f *testing.F) {
	s, err := newSecret(bytes.Repeat([]byte("k"), SecretBytes), time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	signed := []byte(`{"type":"new_message","payload":{}}`)
	by := s.sign(forLog, wire.FromGuest, "x", signed)
	for _, seed := range []string{by, "user." + strings.TrimPrefix(by, "guest."), "", ".", "guest.", by + "=", "service." + strings.Repeat("A", macLength)} {
		f.Add(seed, "x", signed, false)
		f.Add(seed, "y", signed, true)
	}
	f.Add(by, "x\x00{", signed[1:], false)
	f.Fuzz(func(t *testing.T, by, room string, body []byte, live bool) {
		purpose := forLog
		if live {
			purpose = forSignal
		}
		switch author := s.author(purpose, by, wire.Room(room), body); author {
		case wire.FromService:
		case wire.FromUser, wire.FromGuest:
			if want := s.sign(purpose, author, wire.Room(room), body); want != by {
				t.Fatalf("%q is believed for %q, which is signed %q", by, body, want)
			}
			if room != "x" || live || !bytes.Equal(body, signed) {
				t.Fatalf("%q is believed for %q in %q", by, body, room)
			}
		default:
			t.Fatalf("%q: from %v", by, author)
		}
	})
}
