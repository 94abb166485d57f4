package rooms_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestSealVectors: what is sealed is XAES-256-GCM, by the vectors of its
// specification.
func TestSealVectors(t *testing.T) {
	for _, v := range []struct {
		key         byte
		place, want string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		got, err := rooms.SealVector(bytes.Repeat([]byte{v.key}, 32), []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), v.place)
		if err != nil || hex.EncodeToString(got) != v.want {
			t.Errorf("key %d: %x, %v; want %s", v.key, got, err, v.want)
		}
	}
}

// TestSeal: what is sealed opens in its place and in no other, with its key and no
// other, and not when a bit of it was changed.
func TestSeal(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	seal, open := rooms.Sealing(t, key)
	_, openOther := rooms.Sealing(t, other)
	text := []byte("a secret")
	sealed := seal(text, "step", "x", "7")
	if bytes.Contains(sealed, text) {
		t.Fatalf("sealed: %q", sealed)
	}
	if again := seal(text, "step", "x", "7"); bytes.Equal(again, sealed) {
		t.Error("sealed twice it is the same")
	}
	if got, err := open(sealed, "step", "x", "7"); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("opened: %q, %v", got, err)
	}
	for _, place := range [][]string{{"step", "x", "8"}, {"step", "y", "7"}, {"snapshot", "x", "7"}, {"step", "x"}} {
		if got, err := open(sealed, place...); !rooms.IsNotSealed(err) {
			t.Errorf("opened at %q: %q, %v", place, got, err)
		}
	}
	if got, err := openOther(sealed, "step", "x", "7"); !rooms.IsOtherSecret(err) {
		t.Errorf("opened with another secret: %q, %v", got, err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if got, err := open(bad, "step", "x", "7"); err == nil {
			t.Errorf("byte %d changed: %q", i, got)
		}
	}
	for n := range sealed {
		if got, err := open(sealed[:n], "step", "x", "7"); err == nil {
			t.Errorf("%d bytes of it: %q", n, got)
		}
	}
}
