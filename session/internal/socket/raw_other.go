//go:build !(darwin || linux || openbsd)

package socket

import (
	"errors"
	"net"
	"syscall"
)

// rawOf returns nil: there is no nonblocking I/O on this system.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, wait bool, err error) { return 0, false, errors.ErrUnsupported }

// vector is not used on this system.
type vector struct{}

func (*vector) fill([][]byte) {}
func (*vector) clear()        {}

func writeNow(uintptr, []byte, *vector) (n int, err error) { return 0, errors.ErrUnsupported }
