//go:build darwin || openbsd

package socket

import "golang.org/x/sys/unix"

// vector is the arguments of one writev.
type vector struct{ frames [][]byte }

// fill replaces the arguments by up to maxSegments frames.
func (v *vector) fill(frames [][]byte) { v.frames = frames[:min(len(frames), maxSegments)] }

func (v *vector) clear() { v.frames = nil }

// write writes what fill took.
func (v *vector) write(fd uintptr) (int, error) { return unix.Writev(int(fd), v.frames) }
