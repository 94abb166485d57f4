package socket

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; no test passes or fails by it.
const patience = time.Minute

// pipeWriter is the http.ResponseWriter of an upgrade over a given connection.
type pipeWriter struct {
	conn net.Conn
	r    *bufio.Reader
}

func (p pipeWriter) Header() http.Header         { return http.Header{} }
func (p pipeWriter) Write(b []byte) (int, error) { return p.conn.Write(b) }
func (p pipeWriter) WriteHeader(int)             {}
func (p pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return p.conn, bufio.NewReadWriter(p.r, bufio.NewWriter(p.conn)), nil
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }
