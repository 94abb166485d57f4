//go:build unix

package session

import (
	"net"
	"os"
	"syscall"
)

// rawOf returns how to wait for a connection of the system without a buffer;
// nil for any other one, whose Read may do more than the system's.
func rawOf(conn net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil // the connection is closed, as its Read will say
	}
	return raw
}

// readNow reads from a connection that does not block; wait means that there
// is nothing yet.
func readNow(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)}
		}
	}
}
