package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vector is the arguments of one writev. unix.Writev has them on the stack,
// which would grow for every write of a large burst; that is a sixth of the
// cost of a fan-out (session.TestWritingGrowsNoStack).
type vector struct{ list []unix.Iovec }

// fill replaces the arguments by up to maxSegments frames.
func (v *vector) fill(frames [][]byte) {
	v.list = v.list[:0]
	for _, frame := range frames[:min(len(frames), maxSegments)] {
		iov := unix.Iovec{Base: unsafe.SliceData(frame)}
		iov.SetLen(len(frame))
		v.list = append(v.list, iov)
	}
}

func (v *vector) clear() {
	clear(v.list)
	v.list = v.list[:0]
}

// write writes what fill took.
func (v *vector) write(fd uintptr) (int, error) {
	n, _, errno := syscall.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(v.list))), uintptr(len(v.list)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
