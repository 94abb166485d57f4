//go:build !unix

package session

import (
	"errors"
	"net"
	"syscall"
)

// rawOf is nil: here a connection is waited for with a buffer.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, wait bool, err error) { return 0, false, errors.ErrUnsupported }
