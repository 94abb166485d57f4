package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/testcert"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// fakeAddr is a connection that comes from somewhere.
type fakeAddr struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeAddr) RemoteAddr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", c.from)
	if err != nil {
		panic(err)
	}
	return addr
}
func (c *fakeAddr) Close() error { c.closed = true; return nil }

// The one that has done nothing for the longest makes room, never one that is being answered.
func TestVisitorsMakeRoom(t *testing.T) {
	v := newVisitors(3, 1<<20, auth.Proxies{})
	var conns []*fakeAddr
	var all []*visitor
	arrive := func() {
		c := &fakeAddr{from: fmt.Sprintf("192.0.2.%d:1", len(conns))}
		conns, all = append(conns, c), append(all, v.add(c))
	}
	cut := func(want ...int) {
		t.Helper()
		var got []int
		for i, c := range conns {
			if c.closed {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("cut were %v, want %v", got, want)
		}
	}
	for range 3 {
		arrive()
	}
	cut()
	v.serve(all[0], +1)
	arrive()
	cut(1)
	v.serve(all[0], -1) // now it is the newest of those that wait
	arrive()
	cut(1, 2)
	v.remove(conns[3]) // closed, or a WebSocket
	arrive()
	cut(1, 2)
	for _, i := range []int{0, 4, 5} {
		v.serve(all[i], +1)
	}
	arrive() // nobody can make room but itself
	cut(1, 2, 6)
	v.remove(conns[5])
	v.serve(all[5], -1) // the handler of a WebSocket returns at its end
	v.serve(all[6], -1) // or one that was cut meanwhile
	v.serve(all[0], -1)
	v.serve(all[4], -1)
	for _, c := range conns {
		v.remove(c)
	}
	if v.count() != 0 || v.idle.Len() != 0 || len(v.byAddrs) != 0 || len(v.serving) != 0 {
		t.Errorf("%d visitors, %d idle, %d and %d addresses are left", v.count(), v.idle.Len(), len(v.byAddrs), len(v.serving))
	}
	if n := v.stats.CutForAll.Load(); n != 3 {
		t.Errorf("%d were counted as cut, want 3", n)
	}
}

// One address has its own bound; this machine and trusted proxies have none.
func TestVisitorsOfOneAddress(t *testing.T) {
	proxies, err := auth.ParseProxies([]string{"198.51.100.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitors(1<<20, 1<<20, proxies)
	cut := 0
	for _, from := range []string{"192.0.2.1:1", "[2001:db8::%x]:1", "127.0.0.1:1", "198.51.100.1:1"} {
		var conns []*fakeAddr
		for i := range maxVisitorsPerAddress + 10 {
			where := from
			if from[0] == '[' {
				where = fmt.Sprintf(from, i+1)
			}
			conns = append(conns, &fakeAddr{from: where})
			v.add(conns[i])
		}
		for i, c := range conns {
			bounded := from[0] == '[' || from == "192.0.2.1:1"
			if want := bounded && i < 10; c.closed != want {
				t.Errorf("%s, connection %d: cut %v, want %v", from, i, c.closed, want)
			}
			if c.closed {
				cut++
			}
		}
	}
	if n := v.stats.CutForOther.Load(); n != int64(cut) || cut != 20 {
		t.Errorf("%d were counted as cut of %d, want 20", n, cut)
	}
}

// Sockets that never finish their handshake make room for requests, and WebSockets are no visitors.
func TestHalfOpenSockets(t *testing.T) {
	cfg := testConfig()
	n, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n.visitors.maxConns = 10
	s := run(t, n)
	for i := range 50 {
		conn, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\n")
		}
	}
	m := s.dial(t, "percy", "")
	s.want(t, 200, "GET", "/readyz", "")
	for i := range 20 {
		s.want(t, 200, "POST", "/api/rooms/general/events", hello, "Idempotency-Key", fmt.Sprint(i))
	}
	if n.visitors.stats.CutForAll.Load() < 40 || n.visitors.count() > 10 {
		t.Errorf("%d were cut and %d are left of 50 sockets", n.visitors.stats.CutForAll.Load(), n.visitors.count())
	}
	if m.Welcome().UID == "" {
		t.Error("the WebSocket was cut")
	}
}

// A request that is being answered is not cut for others, however long it takes.
func TestServedAreNotCut(t *testing.T) {
	v := newVisitors(1, 1<<20, auth.Proxies{})
	began, finish := make(chan struct{}), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-finish
		io.WriteString(w, "done")
	})}
	v.attach(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	slow, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	late, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := late.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection was answered, want it cut")
	}
	close(finish)
	if resp, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("the first one was answered %v, %v", resp, err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
}

// writesCounted counts what is written to a connection.
type writesCounted struct {
	net.Conn
	writes atomic.Int64
}

func (c *writesCounted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// A TLS connection is cut without a word: one that does not read would keep all who come waiting for it.
func TestCutOffOverTLS(t *testing.T) {
	p := testcert.New(t, 1, time.Now().Add(time.Hour))
	cert, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	counted := &writesCounted{Conn: ours}
	cfg := trust(p)
	cfg.ServerName = "rooms.example"
	client, secure := tls.Client(theirs, cfg), tls.Server(counted, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := errors.Join(secure.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	before := counted.writes.Load()
	cutOff(secure)
	if got := counted.writes.Load(); got != before {
		t.Errorf("%d writes for the farewell, want none", got-before)
	}
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer sees %v, want the end", err)
	}
}
