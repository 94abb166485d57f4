//go:build darwin || linux || openbsd

package socket

import (
	"net"
	"os"
	"syscall"
)

// rawOf returns the raw connection of a TCP or Unix connection; nil for any
// other, whose Read and Write may do more than a system call.
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
		return nil // the connection is closed, which its Read returns
	}
	return raw
}

// To the race detector a syscall.Write happens before the syscall.Read of its
// bytes, as in package net; that is not so with package unix.

// readNow reads from a nonblocking connection; wait means that there is nothing
// to read yet.
func readNow(fd uintptr, b []byte) (n int, wait bool, err error) {
	return nonblocking("read", func() (int, error) { return syscall.Read(int(fd), b) })
}

// writeNow writes what fits to a nonblocking connection: one frame, or, if that
// is nil, a vector of them.
func writeNow(fd uintptr, frame []byte, v *vector) (n int, err error) {
	n, _, err = nonblocking("write", func() (int, error) {
		if frame != nil {
			return syscall.Write(int(fd), frame)
		}
		return v.write(fd)
	})
	return n, err
}

// nonblocking makes a system call on a nonblocking connection.
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
