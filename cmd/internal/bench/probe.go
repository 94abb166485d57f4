package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// probeTimeout bounds one question to a process.
const probeTimeout = 5 * time.Second

// get200 sends GET path. In HTTP/1.0 the answer ends with the connection.
func get200(ctx context.Context, addr, path string) error {
	answer, err := exchange(ctx, addr, fmt.Sprintf("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, addr), io.ReadAll)
	if line, _, _ := bytes.Cut(answer, []byte("\r\n")); !bytes.Contains(line, []byte(" 200 ")) {
		return errors.Join(fmt.Errorf("GET %s: %q", path, answer), err)
	}
	return nil
}

// exchange sends question to addr and reads the answer, 4 KiB at most.
func exchange(ctx context.Context, addr, question string, read func(io.Reader) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, question); err != nil {
		return nil, err
	}
	return read(io.LimitReader(conn, 4<<10))
}
