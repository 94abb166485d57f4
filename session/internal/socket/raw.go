//go:build darwin || linux || openbsd

package socket

import (
	"net"
	"os"
	"syscall"
)

// rawOf returns how to read and write a connection of the system without
// waiting; nil for any other one, whose Read and Write may do more than the
// system's.
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

// The race detector takes syscall.Write for happening before the syscall.Read
// that gets its bytes, as it does for package net; it does not know that of
// package unix.

// readNow reads from a connection that does not block; wait means that there
// is nothing yet.
func readNow(fd uintptr, b []byte) (n int, wait bool, err error) {
	return nonblocking("read", func() (int, error) { return syscall.Read(int(fd), b) })
}

// writeNow writes to a connection that does not block what it has room for: one
// frame, or, when it is nil, a vector of them.
func writeNow(fd uintptr, frame []byte, v *vector) (n int, err error) {
	n, _, err = nonblocking("write", func() (int, error) {
		if frame != nil {
			return syscall.Write(int(fd), frame)
		}
		return v.write(fd)
	})
	return n, err
}

// atOnce makes a system call on a connection that does not block.
func nonblocking(name string, call func() (int, error)) (n int, wait bool, err error) {
	for {
		n, err = call()
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, &net.OpError{Op: name, Err: os.NewSyscallError(name, err)}
		}
	}
}
