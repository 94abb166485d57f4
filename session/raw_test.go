package session

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// rawConn is a client below the level of gorilla: frames as bytes.
type rawConn struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

func (s *stack) dialFrames() *rawConn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	must(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	return handshake(s.t, conn)
}

func handshake(t testing.TB, conn net.Conn) *rawConn {
	t.Helper()
	return handshakeAt(t, conn, "/ws")
}

func handshakeAt(t testing.TB, conn net.Conn, target string) *rawConn {
	t.Helper()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(conn, strings.Replace(upgradeRequest, "/ws", target, 1))
	must(t, err)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	same(t, "the status of the upgrade", resp.StatusCode, http.StatusSwitchingProtocols)
	return &rawConn{t: t, conn: conn, r: r}
}

// frame reads one frame, which must be one that a server may send.
func (c *rawConn) frame() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		c.t.Fatalf("a frame begins with %x: not final, reserved bits, or masked", head)
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var more [2]byte
		_, err = io.ReadFull(c.r, more[:])
		n = uint64(binary.BigEndian.Uint16(more[:]))
	case 127:
		var more [8]byte
		_, err = io.ReadFull(c.r, more[:])
		n = binary.BigEndian.Uint64(more[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		c.t.Fatalf("a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	return head[0] & 0xf, payload, err
}

// until reads frames up to and with one of the kind.
func (c *rawConn) until(op byte) []byte {
	c.t.Helper()
	for {
		got, payload, err := c.frame()
		must(c.t, err)
		if got == op {
			return payload
		}
	}
}

// clientFrame is a masked frame; first is its first byte.
func clientFrame(first byte, payload []byte) []byte {
	mask := [4]byte{0x13, 0x57, 0x9b, 0xdf}
	head := wire.AppendFrameHeader(nil, wire.OpText, len(payload))
	head[0] = first
	head[1] |= 0x80
	frame := append(head, mask[:]...)
	for i, c := range payload {
		frame = append(frame, c^mask[i%4])
	}
	return frame
}
