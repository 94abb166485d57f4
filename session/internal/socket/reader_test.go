package socket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// recorded is a connection whose peer has sent everything already, in pieces
// of a size.
type recorded struct {
	net.Conn // nil: nothing else is asked of it
	rest     []byte
	piece    int
}

func (r *recorded) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.rest[:min(len(r.rest), r.piece)])
	r.rest = r.rest[n:]
	return n, nil
}

func (r *recorded) Write(b []byte) (int, error)      { return len(b), nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetDeadline(time.Time) error      { return nil }
func (r *recorded) Close() error                     { return nil }

func newReaderOf(conn net.Conn, control controlFunc) *Reader {
	return NewReader(NewConn(conn), false, control)
}

// controlFunc hears pings and pongs, and lets everything else pass.
type controlFunc func(op wire.Opcode, payload []byte)

func (f controlFunc) Control(op wire.Opcode, payload []byte) error {
	f(op, payload)
	return nil
}
func (controlFunc) Fragment() error { return nil }
func (controlFunc) Incomplete(int)  {}

// heardOf is all that a source tells, and how it ended.
func heardOf(make func(controlFunc) Source) (heard []string, end error) {
	note := func(op wire.Opcode, body []byte) { heard = append(heard, fmt.Sprintf("%d %q", op, body)) }
	src := make(note)
	for {
		op, err := src.Next()
		if err != nil {
			return heard, err
		}
		if op >= wire.OpClose {
			continue
		}
		var buf bytes.Buffer
		if err := src.Read(&buf, 1<<16); err != nil {
			return heard, err
		}
		note(op, buf.Bytes())
	}
}

func heardOfReader(sent []byte, piece int) ([]string, error) {
	return heardOf(func(c controlFunc) Source { return newReaderOf(&recorded{rest: sent, piece: piece}, c) })
}

// gorillaOf is what gorilla makes of the same bytes.
func gorillaOf(t testing.TB, sent []byte) ([]string, error) {
	ws := upgradeRecorded(t, &recorded{rest: sent, piece: 1 << 20})
	return heardOf(func(c controlFunc) Source { return NewUpgraded(ws, c) })
}

const hello = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgradeRecorded is gorilla's side of a connection.
func upgradeRecorded(t testing.TB, conn net.Conn) *websocket.Conn {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(hello)))
	if err != nil {
		t.Fatal(err)
	}
	ws, err := new(websocket.Upgrader).Upgrade(pipeWriter{conn, bufio.NewReader(conn)}, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func tcpPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	ours, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// kindOf is as much of an error as matters.
func kindOf(err error) string {
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return fmt.Sprintf("closed %d", closed.Code)
	case closed != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "lost"
	}
	code, _ := CloseCode(err)
	return fmt.Sprint(uint16(code))
}

var sentBytes = map[string][]byte{
	"nothing":              nil,
	"half a header":        {0x81},
	"empty message":        clientFrame(0x81, nil),
	"text":                 clientFrame(0x81, []byte("hello")),
	"126 bytes":            clientFrame(0x82, []byte(strings.Repeat("a", 126))),
	"70000 bytes":          clientFrame(0x81, []byte(strings.Repeat("0123456", 10_000))),
	"large":                clientFrame(0x81, []byte(strings.Repeat("0123456", 9_000))),
	"cut in the payload":   clientFrame(0x81, []byte("hello"))[:9],
	"two parts":            append(clientFrame(0x01, []byte("hel")), clientFrame(0x80, []byte("lo"))...),
	"ping in between":      append(append(clientFrame(0x01, []byte("hel")), clientFrame(0x89, []byte("p"))...), clientFrame(0x80, []byte("lo"))...),
	"close in between":     append(clientFrame(0x01, []byte("hel")), clientFrame(0x88, []byte{3, 0xe8})...),
	"ends in a message":    clientFrame(0x01, []byte("hel")),
	"begins a second":      append(clientFrame(0x01, []byte("hel")), clientFrame(0x81, []byte("lo"))...),
	"continues nothing":    clientFrame(0x80, []byte("lo")),
	"ping and pong":        append(clientFrame(0x89, nil), clientFrame(0x8a, []byte("x"))...),
	"reserved bit":         clientFrame(0xc1, []byte("hi")),
	"reserved opcode":      clientFrame(0x8b, nil),
	"fragmented ping":      clientFrame(0x09, nil),
	"long ping":            clientFrame(0x89, make([]byte, 126)),
	"unmasked":             {0x81, 2, 'h', 'i'},
	"unmasked ping":        {0x89, 0},
	"negative length":      {0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
	"huge length":          {0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
	"close":                clientFrame(0x88, nil),
	"close 1001":           clientFrame(0x88, []byte{3, 0xe9, 'b', 'y', 'e'}),
	"close 4321":           clientFrame(0x88, []byte{0x10, 0xe1}),
	"close with one byte":  clientFrame(0x88, []byte{3}),
	"close 1005":           clientFrame(0x88, []byte{3, 0xed}),
	"close 2000":           clientFrame(0x88, []byte{7, 0xd0}),
	"close with bad UTF-8": clientFrame(0x88, []byte{3, 0xe8, 0xff}),
}

// What gorilla reads is read the same, however it is cut into pieces.
func FuzzReader(f *testing.F) {
	for _, sent := range sentBytes {
		f.Add(sent, uint16(1))
		f.Add(sent, uint16(3))
		f.Add(sent, uint16(1<<15))
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece uint16) {
		if len(sent) > 1<<17 {
			return
		}
		heard, end := heardOfReader(bytes.Clone(sent), max(int(piece), 1))
		want, wantEnd := gorillaOf(t, bytes.Clone(sent))
		ours, theirs := kindOf(end), kindOf(wantEnd)
		if stricter(ours, theirs) && len(heard) <= len(want) {
			want, theirs = want[:len(heard)], ours
		}
		if fmt.Sprint(heard) != fmt.Sprint(want) {
			t.Fatalf("heard %.300q, gorilla %.300q", heard, want)
		}
		if ours != theirs {
			t.Fatalf("ended with %v (%s), gorilla with %v (%s)", end, ours, wantEnd, theirs)
		}
	})
}

// stricter reports the ends that differ on purpose: a message is too
// large as soon as its header says so, a negative length is no length, and a
// close frame of one byte is none.
func stricter(ours, gorilla string) bool {
	switch ours {
	case "1009":
		return gorilla != "1002"
	case "1002":
		return gorilla == "1009" || gorilla == "closed 1005"
	case "closed 1014": // was registered after gorilla's list was made
		return gorilla == "1002"
	case "lost": // in a header of which gorilla could tell sooner that it is wrong
		return gorilla == "1009" || gorilla == "1002"
	}
	return false
}

// The ends that the fuzz test does not compare.
func TestEndsOfReader(t *testing.T) {
	for name, want := range map[string]string{
		"70000 bytes": "1009", "huge length": "1009", "negative length": "1002", "close with one byte": "1002",
	} {
		heard, end := heardOfReader(bytes.Clone(sentBytes[name]), 5)
		same(t, name, kindOf(end), want)
		same(t, text("messages before %s", name), len(heard), 0)
	}
}

// Over a real connection, in pieces that cut anywhere.
func TestReaderOverTCP(t *testing.T) {
	ours, theirs := tcpPair(t)
	var sent []byte
	var want []string
	for i := range 200 {
		body := bytes.Repeat([]byte{byte('a' + i%26)}, rand.N(9_000))
		sent = append(sent, clientFrame(0x81, body)...)
		want = append(want, fmt.Sprintf("1 %q", body))
	}
	sent = append(sent, clientFrame(0x88, []byte{3, 0xe8})...)
	go func() {
		for len(sent) > 0 {
			n, err := theirs.Write(sent[:min(len(sent), 1+rand.N(5_000))])
			if err != nil {
				return // the test fails by what it heard
			}
			sent = sent[n:]
		}
	}()
	heard, end := heardOf(func(c controlFunc) Source { return newReaderOf(ours, c) })
	same(t, "the end", kindOf(end), "closed 1000")
	if fmt.Sprint(heard) != fmt.Sprint(want) {
		t.Errorf("heard %d messages that are not the %d that were sent", len(heard), len(want))
	}
}

// A connection that waits for its next message holds no buffer.
func TestWaitingHoldsNoChunk(t *testing.T) {
	ours, theirs := tcpPair(t)
	if rawOf(ours) == nil {
		t.Skip("this system cannot wait without a buffer")
	}
	f := newReaderOf(ours, func(wire.Opcode, []byte) {})
	_, err := theirs.Write(clientFrame(0x81, []byte("hello")))
	must(t, err)
	op, err := f.Next()
	must(t, err)
	same(t, "the opcode", op, wire.OpText)
	var buf bytes.Buffer
	must(t, f.Read(&buf, 100))
	must(t, ours.SetReadDeadline(time.Now())) // it waits, and is woken at once
	if _, err = f.Next(); err == nil {
		t.Fatal("a message came that was not sent")
	}
	if f.in.chunk != nil {
		t.Error("it waited with a chunk in hand")
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	one := append(clientFrame(0x8a, nil), clientFrame(0x81, bytes.Repeat([]byte("x"), 200))...)
	conn := &endless{frame: one}
	f := newReaderOf(conn, func(wire.Opcode, []byte) {})
	buf := bytes.NewBuffer(make([]byte, 0, 1024))
	if n := testing.AllocsPerRun(1000, func() { readMessage(t, f, buf) }); n != 0 {
		t.Errorf("%v allocations per message, want none", n)
	}
}

// endless sends the same again and again.
type endless struct {
	recorded
	frame []byte
	at    int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.frame[e.at:])
	e.at = (e.at + n) % len(e.frame)
	return n, nil
}

func readMessage(t testing.TB, src Source, buf *bytes.Buffer) {
	buf.Reset()
	for {
		op, err := src.Next()
		if err != nil {
			t.Fatal(err)
		}
		if op < wire.OpClose {
			break
		}
	}
	if err := src.Read(buf, 1<<16); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkReader reads messages of 200 bytes, beside gorilla.
func BenchmarkReader(b *testing.B) {
	frame := clientFrame(0x81, bytes.Repeat([]byte("x"), 200))
	nothing := func(wire.Opcode, []byte) {}
	for name, src := range map[string]Source{
		"ours":    newReaderOf(&endless{frame: frame}, nothing),
		"gorilla": NewUpgraded(upgradeRecorded(b, &endless{frame: frame}), controlFunc(nothing)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := new(bytes.Buffer)
			for b.Loop() {
				readMessage(b, src, buf)
			}
		})
	}
}
