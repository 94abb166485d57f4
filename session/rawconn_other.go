//go:build !(darwin || linux || openbsd)

package session

import (
	"errors"
	"net"
	"syscall"
)

// rawOf is nil: here a connection is read and written with deadlines only.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, wait bool, err error) { return 0, false, errors.ErrUnsupported }

func writeNow(uintptr, [][]byte) (n int, err error) { return 0, errors.ErrUnsupported }
