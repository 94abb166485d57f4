//go:build !(darwin || linux || openbsd)

package socket

import (
	"errors"
	"net"
	"syscall"
)

// rawOf is nil: here a connection is read and written with deadlines only.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, wait bool, err error) { return 0, false, errors.ErrUnsupported }

// vector is for systems with a raw connection.
type vector struct{}

func (*vector) fill([][]byte) {}
func (*vector) clear()        {}

func writeNow(uintptr, []byte, *vector) (n int, err error) { return 0, errors.ErrUnsupported }
