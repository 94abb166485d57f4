package wire

import "encoding/binary"

// Opcode is the kind of a WebSocket frame: RFC 6455 section 5.2.
type Opcode byte

// All opcodes there are. A server writes neither OpContinuation nor OpBinary.
// Those from OpClose on are control frames.
const (
	OpContinuation Opcode = 0
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10
)

// Known reports whether there is such a kind of frame.
func (op Opcode) Known() bool { return op <= OpBinary || op >= OpClose && op <= OpPong }

// MaxFrameHeader is the most that AppendFrameHeader appends.
const MaxFrameHeader = 10

// Bits of a frame's first two bytes.
const (
	finalBit   = 0x80
	opcodeBits = 0x0f
)

// AppendFrameHeader appends the header of a complete unmasked frame, as a
// server sends it, for a payload of n bytes.
func AppendFrameHeader(dst []byte, op Opcode, n int) []byte {
	dst = append(dst, finalBit|byte(op))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
}

// appendGuessedHeader leaves room for the header of a text frame whose payload
// may have up to n bytes. fixHeader writes it, when the payload stands behind.
func appendGuessedHeader(dst []byte, n int) []byte { return AppendFrameHeader(dst, OpText, n) }

// fixHeader completes the frame that begins at start, whose payload is all from
// text on. A shorter payload than was guessed may need a shorter header: then
// the payload moves.
func fixHeader(dst []byte, start, text int) []byte {
	n := len(dst) - text
	var space [MaxFrameHeader]byte
	header := AppendFrameHeader(space[:0], OpText, n)
	copy(dst[start:], header)
	if len(header) < text-start {
		copy(dst[start+len(header):], dst[text:])
		dst = dst[:start+len(header)+n]
	}
	return dst
}

// AppendFrame appends a complete unmasked frame.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendFrameHeader(dst, op, len(payload)), payload...)
}

// AppendCloseFrame appends the close frame for code with its reason. A code
// that may not cross the wire becomes an empty close frame.
func AppendCloseFrame(dst []byte, code CloseCode) []byte {
	if !code.Sendable() {
		return AppendFrame(dst, OpClose, nil)
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(code))
	return AppendFrame(dst, OpClose, append(body, code.String()...))
}

// EventFrame returns the text frame of one event.
func EventFrame(ev Event) []byte {
	return frameOf(AppendEvent(make([]byte, MaxFrameHeader, frameSize(&ev)+len(ev.Payload)), ev))
}

// PayloadFrame is EventFrame of ev with a payload of this package, as
// MarshalPayload would give it.
func PayloadFrame(ev Event, payload any) []byte {
	p, ok := payload.(appender)
	if !ok {
		ev.Payload = MarshalPayload(payload)
		return EventFrame(ev)
	}
	buf := appendFields(make([]byte, MaxFrameHeader, frameSize(&ev)+p.size()), &ev)
	return frameOf(append(p.append(append(buf, `,"payload":`...)), '}'))
}

// frameSize is the size of the frame without the payload.
func frameSize(ev *Event) int {
	const names = len(`{"type":"","id":"","room":"","seq":,"at":,"payload":}`)
	return MaxFrameHeader + names + 2*maxDigits + len(ev.Type) + len(ev.ID) + len(ev.Room)
}

// frameOf makes a frame of what stands in buf behind the place for its header.
func frameOf(buf []byte) []byte {
	var space [MaxFrameHeader]byte
	header := AppendFrameHeader(space[:0], OpText, len(buf)-MaxFrameHeader)
	frame := buf[MaxFrameHeader-len(header):]
	copy(frame, header)
	return frame
}

// FramePayload returns the payload of a frame that AppendFrame made.
func FramePayload(frame []byte) []byte {
	header, _ := frameSizes(frame)
	return frame[header:]
}

// frameSizes returns how long the header and the payload of the first frame in
// data are, which AppendFrame made.
func frameSizes(data []byte) (header, payload int) {
	switch n := data[1]; n {
	case 126:
		return 4, int(binary.BigEndian.Uint16(data[2:]))
	case 127:
		return 10, int(binary.BigEndian.Uint64(data[2:]))
	default:
		return 2, int(n)
	}
}
