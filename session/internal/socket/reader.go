package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Parts of a frame's header: RFC 6455 section 5.2.
const (
	finalBit     = 0x80
	reservedBits = 0x70
	opcodeBits   = 0x0f
	maskedBit    = 0x80
	maxControl   = 125 // bytes of a control frame's payload
	maskBytes    = 4
)

// errFrame is the error for a frame that violates RFC 6455.
var errFrame = errors.New("a frame that no WebSocket client sends")

// inflaters are pooled: a connection inflates one message at a time, and most
// are idle.
var inflaters = sync.Pool{New: func() any { return wire.NewInflater() }}

// Reader reads frames of a client without extensions, or with
// permessage-deflate without context takeover. Nearly all connections wait for
// a frame nearly all the time, so it does that with a short stack and, with
// nonblocking I/O, without a buffer.
type Reader struct {
	// fixed after start
	in      readBuffer
	deflate bool // permessage-deflate was negotiated
	to      Handler

	// of the current message
	left     int64 // of the current frame
	final    bool  // the current frame is the last one
	deflated bool  // it is compressed
	mask     [maskBytes]byte
	masked   int // how many bytes of the current frame were unmasked
}

// NewReader returns a Source of what comes over conn; deflate says that
// permessage-deflate was negotiated.
func NewReader(conn Conn, deflate bool, to Handler) *Reader {
	return &Reader{in: readBuffer{conn: conn.Conn, raw: conn.raw}, deflate: deflate, to: to}
}

// Next implements Source.
func (r *Reader) Next() (wire.Opcode, error) {
	op, err := r.header()
	switch {
	case err != nil:
		return 0, err
	case op == wire.OpText, op == wire.OpBinary:
		return op, nil
	case op >= wire.OpClose:
		return op, r.takeControl(op)
	}
	return 0, errFrame // a continuation of no message
}

// Read implements Source.
func (r *Reader) Read(buf *bytes.Buffer, limit int64) error {
	if !r.deflated {
		return r.collect(buf, limit)
	}
	packed := GetMessage()
	defer PutMessage(packed)
	if err := r.collect(packed, wire.MaxDeflated(limit)); err != nil {
		return err
	}
	inflater := inflaters.Get().(*wire.Inflater)
	defer inflaters.Put(inflater)
	err := inflater.Append(buf, packed, limit)
	if errors.Is(err, wire.ErrInflated) {
		return websocket.ErrReadLimit
	}
	return err
}

// collect reads the message without inflating it.
func (r *Reader) collect(buf *bytes.Buffer, limit int64) error {
	for {
		if int64(buf.Len())+r.left > limit {
			return websocket.ErrReadLimit
		}
		if !r.final && r.left < smallFragment {
			if err := r.to.Fragment(); err != nil {
				return err
			}
		}
		if err := r.payload(buf); err != nil {
			return err
		}
		if r.final {
			return nil
		}
		if err := r.continuation(buf); err != nil {
			return err
		}
	}
}

// continuation reads the header of the message's next frame, and handles
// control frames before it.
func (r *Reader) continuation(buf *bytes.Buffer) error {
	for {
		if len(r.in.unread) < 2+maskBytes {
			r.to.Incomplete(buf.Cap())
		}
		op, err := r.header()
		if err != nil {
			return unexpected(err)
		}
		if op < wire.OpClose {
			if op != wire.OpContinuation {
				return errFrame
			}
			return nil
		}
		if err := r.takeControl(op); err != nil {
			return unexpected(err)
		}
	}
}

// header reads a frame's header. That of a control frame does not change final
// and deflated.
func (r *Reader) header() (wire.Opcode, error) {
	if err := r.in.need(2); err != nil {
		return 0, err
	}
	first, second := r.in.unread[0], r.in.unread[1]
	op := wire.Opcode(first & opcodeBits)
	extra := extraLength(second)
	reserved := first & reservedBits
	if reserved != 0 && !(r.deflate && reserved == wire.Deflated && (op == wire.OpText || op == wire.OpBinary)) {
		return 0, errFrame
	}
	if !op.Known() || second&maskedBit == 0 {
		return 0, errFrame
	}
	if op >= wire.OpClose && (first&finalBit == 0 || extra > 0) {
		return 0, errFrame
	}
	if err := r.in.need(2 + extra + maskBytes); err != nil {
		return 0, unexpected(err)
	}
	head := r.in.take(2 + extra + maskBytes)
	length, ok := payloadLength(head[1:])
	if !ok {
		return 0, errFrame
	}
	r.left, r.masked = length, 0
	copy(r.mask[:], head[2+extra:])
	if op < wire.OpClose {
		r.final = first&finalBit != 0
	}
	if op == wire.OpText || op == wire.OpBinary {
		r.deflated = reserved != 0
	}
	return op, nil
}

// extraLength returns how many bytes of extended length follow the second byte
// of a header.
func extraLength(second byte) int {
	switch second &^ maskedBit {
	case 126:
		return 2
	case 127:
		return 8
	}
	return 0
}

// payloadLength returns the length in a header, whose first byte is cut off.
func payloadLength(head []byte) (n int64, ok bool) {
	switch extraLength(head[0]) {
	case 2:
		return int64(binary.BigEndian.Uint16(head[1:])), true
	case 8:
		n = int64(binary.BigEndian.Uint64(head[1:]))
		return n, n >= 0
	}
	return int64(head[0] &^ maskedBit), true
}

// payload reads the rest of the current frame into buf.
func (r *Reader) payload(buf *bytes.Buffer) error {
	for r.left > 0 {
		if len(r.in.unread) == 0 {
			r.to.Incomplete(buf.Cap())
		}
		if err := r.in.need(1); err != nil {
			return unexpected(err)
		}
		part := r.in.take(int(min(r.left, int64(len(r.in.unread)))))
		r.unmask(part)
		buf.Write(part)
		r.left -= int64(len(part))
	}
	return nil
}

func (r *Reader) takeControl(op wire.Opcode) error {
	if err := r.in.need(int(r.left)); err != nil {
		return unexpected(err)
	}
	body := r.in.take(int(r.left))
	r.unmask(body)
	if op != wire.OpClose {
		return r.to.Control(op, body)
	}
	return closeError(body)
}

// closeError returns a close frame as an error.
func closeError(body []byte) error {
	if len(body) == 0 {
		return &websocket.CloseError{Code: websocket.CloseNoStatusReceived}
	}
	if len(body) < 2 {
		return errFrame
	}
	code := wire.CloseCode(binary.BigEndian.Uint16(body))
	if !code.Sendable() || !utf8.Valid(body[2:]) {
		return errFrame
	}
	return &websocket.CloseError{Code: int(code), Text: string(body[2:])}
}

// unmask unmasks the next bytes of the current frame's payload in place.
func (r *Reader) unmask(b []byte) {
	var key [8]byte
	for i := range key {
		key[i] = r.mask[(r.masked+i)%maskBytes]
	}
	r.masked += len(b)
	word := binary.LittleEndian.Uint64(key[:])
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i]
	}
}

// unexpected replaces io.EOF within a frame or message.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
