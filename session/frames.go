package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
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

// errFrame is a frame that no WebSocket client sends.
var errFrame = errors.New("a frame that no WebSocket client sends")

// inflaters are shared: a connection inflates one message at a time, and few do.
var inflaters = sync.Pool{New: func() any { return wire.NewInflater() }}

// frames reads what a client sends after an upgrade without extensions, or with
// permessage-deflate without context takeover by the client. It waits at the top
// of a short stack and, where the system allows, without a buffer, because that
// is where nearly every connection is nearly all the time.
type frames struct {
	// fixed after start
	in      intake
	deflate bool // messages may be compressed
	to      hearer

	// of the message whose first header was read
	left     int64 // of its present frame
	final    bool  // its present frame is the last one
	deflated bool  // it is compressed
	mask     [maskBytes]byte
	masked   int // how many bytes of the frame were unmasked
}

func newFrames(conn net.Conn, raw syscall.RawConn, deflate bool, to hearer) *frames {
	return &frames{in: intake{conn: conn, raw: raw}, deflate: deflate, to: to}
}

func (f *frames) next() (wire.Opcode, error) {
	op, err := f.header()
	switch {
	case err != nil:
		return 0, err
	case op == wire.OpText, op == wire.OpBinary:
		return op, nil
	case op >= wire.OpClose:
		return op, f.takeControl(op)
	}
	return 0, errFrame // continues no message
}

func (f *frames) read(buf *bytes.Buffer, limit int64) error {
	if !f.deflated {
		return f.collect(buf, limit)
	}
	packed := frameBuffers.Get().(*bytes.Buffer)
	defer keepFrame(packed)
	if err := f.collect(packed, wire.MaxDeflated(limit)); err != nil {
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

// collect reads the message as it was sent.
func (f *frames) collect(buf *bytes.Buffer, limit int64) error {
	for {
		if int64(buf.Len())+f.left > limit {
			return websocket.ErrReadLimit
		}
		if !f.final && f.left < smallFragment {
			if err := f.to.fragment(); err != nil {
				return err
			}
		}
		if err := f.payload(buf); err != nil {
			return err
		}
		if f.final {
			return nil
		}
		if err := f.continuation(buf); err != nil {
			return err
		}
	}
}

// continuation goes on to the message's next frame; control frames may come in
// between.
func (f *frames) continuation(buf *bytes.Buffer) error {
	for {
		if len(f.in.unread) < 2+maskBytes {
			f.to.hurry(buf.Cap())
		}
		op, err := f.header()
		if err != nil {
			return unexpected(err)
		}
		if op < wire.OpClose {
			if op != wire.OpContinuation {
				return errFrame
			}
			return nil
		}
		if err := f.takeControl(op); err != nil {
			return unexpected(err)
		}
	}
}

// header reads a frame's header. That of a control frame, whose payload follows
// at once, leaves final as it is.
func (f *frames) header() (wire.Opcode, error) {
	if err := f.in.need(2); err != nil {
		return 0, err
	}
	first, second := f.in.unread[0], f.in.unread[1]
	op := wire.Opcode(first & opcodeBits)
	extra := extraLength(second)
	reserved := first & reservedBits
	if reserved != 0 && !(f.deflate && reserved == wire.Deflated && (op == wire.OpText || op == wire.OpBinary)) {
		return 0, errFrame
	}
	if !op.Known() || second&maskedBit == 0 {
		return 0, errFrame
	}
	if op >= wire.OpClose && (first&finalBit == 0 || extra > 0) {
		return 0, errFrame
	}
	if err := f.in.need(2 + extra + maskBytes); err != nil {
		return 0, unexpected(err)
	}
	head := f.in.take(2 + extra + maskBytes)
	length, ok := payloadLength(head[1:])
	if !ok {
		return 0, errFrame
	}
	f.left, f.masked = length, 0
	copy(f.mask[:], head[2+extra:])
	if op < wire.OpClose {
		f.final = first&finalBit != 0
	}
	if op == wire.OpText || op == wire.OpBinary {
		f.deflated = reserved != 0
	}
	return op, nil
}

// extraLength is how many bytes of the length follow the second byte of a
// header.
func extraLength(second byte) int {
	switch second &^ maskedBit {
	case 126:
		return 2
	case 127:
		return 8
	}
	return 0
}

// payloadLength reads the length from a header behind its first byte.
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

// payload moves the rest of the present frame into buf.
func (f *frames) payload(buf *bytes.Buffer) error {
	for f.left > 0 {
		if len(f.in.unread) == 0 {
			f.to.hurry(buf.Cap())
		}
		if err := f.in.need(1); err != nil {
			return unexpected(err)
		}
		part := f.in.take(int(min(f.left, int64(len(f.in.unread)))))
		f.unmask(part)
		buf.Write(part)
		f.left -= int64(len(part))
	}
	return nil
}

func (f *frames) takeControl(op wire.Opcode) error {
	if err := f.in.need(int(f.left)); err != nil {
		return unexpected(err)
	}
	body := f.in.take(int(f.left))
	f.unmask(body)
	if op != wire.OpClose {
		return f.to.control(op, body)
	}
	return closeError(body)
}

// closeError is what a close frame says.
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

// unmask decodes the next bytes of the present frame's payload in place.
func (f *frames) unmask(b []byte) {
	var key [8]byte
	for i := range key {
		key[i] = f.mask[(f.masked+i)%maskBytes]
	}
	f.masked += len(b)
	word := binary.LittleEndian.Uint64(key[:])
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i]
	}
}

// unexpected is an end of the connection where more had to follow.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
