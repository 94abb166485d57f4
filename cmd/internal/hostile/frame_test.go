//go:build linux

package hostile

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Opcodes of WebSocket frames: RFC 6455 section 5.2.
const (
	opContinue byte = 0
	opText     byte = 1
	opClose    byte = 8
	opPing     byte = 9
	opPong     byte = 10

	finalBit = 0x80
	maskBit  = 0x80
)

// appendFrame appends a client's frame. Its mask is 0, which is a mask like any
// other.
func appendFrame(dst []byte, first byte, data []byte) []byte {
	dst = append(dst, first)
	switch n := len(data); {
	case n < 126:
		dst = append(dst, maskBit|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, maskBit|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, maskBit|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), data...)
}

// nextFrame reads one frame into buf.
func nextFrame(r *bufio.Reader, buf []byte) (op byte, data []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0] & 0x0f
	n := int(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r, head[:2])
		n = int(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(r, head[:])
		n = int(binary.BigEndian.Uint64(head[:]))
	}
	if err != nil {
		return 0, nil, err
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	data = buf[:n]
	_, err = io.ReadFull(r, data)
	return op, data, err
}
