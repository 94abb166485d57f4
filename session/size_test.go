package session

import (
	"testing"
	"unsafe"
)

// What an idle connection takes is for the most part these. Each bound is a size
// that Go allocates: one byte more costs 64 for each connection.
func TestClientIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the bounds are those of 64-bit systems")
	}
	for name, size := range map[string]struct{ is, most uintptr }{
		"Client": {unsafe.Sizeof(Client{}), 512},
		"writer": {unsafe.Sizeof(writer{}), 48},
	} {
		if size.is > size.most {
			t.Errorf("a %s takes %d bytes, want at most %d", name, size.is, size.most)
		}
	}
}
