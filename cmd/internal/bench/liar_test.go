//go:build linux

package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// liar is a server of one room over real sockets that gets something wrong:
// tell decides what becomes of a message at a member.
type liar struct {
	listener net.Listener
	reply    string // to the request
	tell     func(l *liar, to int, number uint32, frame []byte)

	mu      sync.Mutex
	members []net.Conn // guarded by mu
	held    []byte     // guarded by mu
	work    sync.WaitGroup
}

// welcome lets a client in.
var welcome = fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: %s\r\n\r\n%s", upgradeAccept, serverFrame(opText, []byte(`{"type":"room_joined"}`)))

func newLiar(t *testing.T, reply string, tell func(l *liar, to int, number uint32, frame []byte)) *liar {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{listener: listener, reply: reply, tell: tell}
	l.work.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		for _, c := range l.members {
			c.Close()
		}
		l.mu.Unlock()
		l.work.Wait()
	})
	return l
}

func (l *liar) server() *server {
	return &server{name: "liar", urls: []string{"ws://" + l.listener.Addr().String() + "/ws"}, dialect: plainDialect}
}

func (l *liar) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.work.Go(func() { l.serve(conn) })
	}
}

func (l *liar) serve(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 64<<10)
	for line := "-"; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return
		}
	}
	l.mu.Lock()
	l.members = append(l.members, conn)
	_, _ = conn.Write([]byte(l.reply))
	l.mu.Unlock()
	for {
		text, err := readClient(in)
		if err != nil {
			conn.Close()
			return
		}
		s, _, ok := findStamp(text, 0)
		if !ok {
			continue
		}
		out := serverFrame(opText, []byte(strings.Replace(string(text), "send_message", "new_message", 1)))
		l.mu.Lock()
		for i := range l.members {
			l.tell(l, i, s.number, out)
		}
		l.mu.Unlock()
	}
}

// readClient reads one frame as the bench sends them: with a mask of zeros, and
// shorter than 64 KiB.
func readClient(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1] &^ maskBit)
	if size == 126 {
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint16(head[:2]))
	}
	text := make([]byte, len(head)+size)
	_, err := io.ReadFull(in, text)
	return text[len(head):], err
}

// send passes a frame on; that the bench has gone is not the liar's problem.
func (l *liar) send(to int, frame []byte) { _, _ = l.members[to].Write(frame) }

func measureLiar(t *testing.T, l *liar) (*Result, error) {
	t.Helper()
	load := load{Mode: Fanout, Members: 3, Ahead: 8, Settle: time.Millisecond, Warmup: time.Millisecond, Duration: 200 * time.Millisecond}
	load.defaults()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	res, err := measure(ctx, l.server(), &load, 1, func(string) {})
	if res != nil {
		res.load = &load
	}
	return res, err
}

const lied = 5 // the number of the message that is told wrong, to member 1

func TestWhatIsLostIsCounted(t *testing.T) {
	for _, tc := range []struct {
		name                        string
		tell                        func(l *liar, to int, number uint32, frame []byte)
		missing, misordered, closed uint64
	}{
		{name: "nothing", tell: func(l *liar, to int, _ uint32, f []byte) { l.send(to, f) }},
		{name: "one is lost", missing: 1, tell: func(l *liar, to int, number uint32, f []byte) {
			if to != 1 || number != lied {
				l.send(to, f)
			}
		}},
		{name: "one comes twice", misordered: 1, tell: func(l *liar, to int, number uint32, f []byte) {
			l.send(to, f)
			if to == 1 && number == lied {
				l.send(to, f)
			}
		}},
		{name: "two change places", missing: 1, misordered: 1, tell: func(l *liar, to int, number uint32, f []byte) {
			switch {
			case to == 1 && number == lied:
				l.held = f
				return
			case to == 1 && number == lied+1:
				l.send(to, f)
				f = l.held
			}
			l.send(to, f)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // what is missing is waited for
			res, err := measureLiar(t, newLiar(t, welcome, tc.tell))
			if err != nil {
				t.Fatal(err)
			}
			if res.Messages <= lied+1 || res.Missing != tc.missing || res.Misordered != tc.misordered || res.Closed != tc.closed {
				t.Errorf("of %d messages: %d missing, %d misordered, %d closed; want %d, %d, %d", res.Messages, res.Missing, res.Misordered, res.Closed, tc.missing, tc.misordered, tc.closed)
			}
			if want := res.Messages*3 - tc.missing; res.Deliveries != want {
				t.Errorf("%d deliveries of %d messages to 3, want %d", res.Deliveries, res.Messages, want)
			}
			if bad := tc.missing+tc.misordered > 0; (res.fault() != nil) != bad {
				t.Errorf("the fault is %v", res.fault())
			}
		})
	}
}

func TestClosedConnectionIsCounted(t *testing.T) {
	res, err := measureLiar(t, newLiar(t, welcome, func(l *liar, to int, number uint32, f []byte) {
		if to == 2 && number == lied {
			f = serverFrame(opClose, []byte("\x0f\xa1")) // 4001
		}
		l.send(to, f)
	}))
	if err != nil {
		t.Fatal(err)
	}
	if res.Closed != 1 || res.CloseCode != 4001 || res.Missing != res.Messages-lied {
		t.Errorf("%d closed with %d, %d of %d missing", res.Closed, res.CloseCode, res.Missing, res.Messages)
	}
}

func TestServerThatDoesNotFit(t *testing.T) {
	for _, tc := range []struct{ name, reply, want string }{
		{"refuses", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull", "503 Service Unavailable full"},
		{"has not read the request", "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n", "handshake"},
		{"masks", fmt.Sprintf("HTTP/1.1 101 x\r\nA: %s\r\n\r\n\x81\x82\x00\x00\x00\x00hi", upgradeAccept), errMasked.Error()},
		{"closes", fmt.Sprintf("HTTP/1.1 101 x\r\nA: %s\r\n\r\n%s", upgradeAccept, serverFrame(opClose, []byte("\x11\x94"))), "4500"},
		{"says no", fmt.Sprintf("HTTP/1.1 101 x\r\nA: %s\r\n\r\n%s", upgradeAccept, serverFrame(opText, []byte(`{"type":"error","payload":{"code":"bad_room","retryable":false}}`))), "bad_room"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := measureLiar(t, newLiar(t, tc.reply, nil)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	l := load{Mode: Fanout, Members: 1}
	l.defaults()
	if _, err := measure(t.Context(), &server{urls: []string{"ws://" + addr + "/ws"}}, &l, 1, func(string) {}); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("connecting to nobody: %v", err)
	}
	for _, url := range []string{"wss://127.0.0.1/ws", "127.0.0.1:1", "ws://127.0.0.1:port/ws", "ws://%"} {
		if _, err := measure(t.Context(), &server{urls: []string{url}}, &l, 1, func(string) {}); err == nil || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	stop := errors.New("interrupted")
	for _, during := range []string{"of", "deliveries"} { // connecting, publishing
		t.Run(during, func(t *testing.T) {
			l := newLiar(t, welcome, func(l *liar, to int, _ uint32, f []byte) { l.send(to, f) })
			load := load{Mode: Fanout, Members: 2, Rate: 100, Duration: time.Hour, Settle: time.Millisecond, Warmup: time.Millisecond}
			load.defaults()
			ctx, cancel := context.WithCancelCause(t.Context())
			_, err := measure(ctx, l.server(), &load, 1, func(text string) {
				if strings.Contains(text, during) {
					cancel(stop)
				}
			})
			if !errors.Is(err, stop) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
