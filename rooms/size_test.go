package rooms

import (
	"testing"
	"unsafe"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// Each user who is here has an inbox, which is an open room in which nearly
// never anything happens. Each bound is a size that Go allocates: one byte more
// costs 16 or 32 for each of them.
func TestRoomIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the bounds are those of 64-bit systems")
	}
	for name, size := range map[string]struct{ is, most uintptr }{
		"room":            {unsafe.Sizeof(room{}), 288},
		"handle":          {unsafe.Sizeof(handle{}), 144},
		"follow.Follower": {unsafe.Sizeof(follow.Follower{}), 288},
	} {
		if size.is > size.most {
			t.Errorf("a %s takes %d bytes, want at most %d", name, size.is, size.most)
		}
	}
}
