package bench

import (
	"encoding/binary"
	"errors"
)

// Opcodes of WebSocket frames: RFC 6455 section 5.2.
const (
	opContinue byte = 0
	opText     byte = 1
	opClose    byte = 8
	opPing     byte = 9
	opPong     byte = 10
)

const (
	finalBit  = 0x80
	packedBit = 0x40 // RFC 7692
	maskBit   = 0x80
)

var (
	errMasked = errors.New("the server sent a masked frame")
	errHuge   = errors.New("the server sent a frame that is larger than the bench reads")
)

// frame is one frame. Its data is a part of the read buffer.
type frame struct {
	op     byte
	packed bool // compressed
	data   []byte
}

// nextFrame takes the first frame off data. size is what it takes in data; 0
// when it is not all there yet. A frame that takes more than limit is errHuge.
func nextFrame(data []byte, limit int) (f frame, size int, err error) {
	if len(data) < 2 {
		return f, 0, nil
	}
	if data[1]&maskBit != 0 {
		return f, 0, errMasked
	}
	header, length := 2, uint64(data[1])
	switch length {
	case 126:
		if header = 4; len(data) < header {
			return f, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(data[2:]))
	case 127:
		if header = 10; len(data) < header {
			return f, 0, nil
		}
		length = binary.BigEndian.Uint64(data[2:])
	}
	if length > uint64(limit-header) {
		return f, 0, errHuge
	}
	size = header + int(length)
	if len(data) < size {
		return f, 0, nil
	}
	return frame{op: data[0] & 0x0f, packed: data[0]&packedBit != 0, data: data[header:size]}, size, nil
}

// appendFrame appends a client's frame. Its masking key is 0: there is no proxy
// here to protect, and the server's work is the same with any key.
func appendFrame(dst []byte, op byte, data []byte) []byte {
	dst = append(dst, finalBit|op)
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

// closeCode returns the code of a close frame; 1005 for one without a code.
func closeCode(data []byte) int {
	if len(data) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(data))
}
