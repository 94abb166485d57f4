//go:build linux

package hostile

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// halfHeader is a request that goes on, and as long as one may be.
func (a *attack) halfHeader() []byte {
	lines := strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 30)
	return fmt.Appendf(nil, "GET /ws HTTP/1.1\r\nHost: %s\r\n%sX-Last: ", a.server.addr, lines)
}

// halfMessage is all but the end of a message that is as long as one may be.
func halfMessage() []byte {
	frame := appendFrame(nil, finalBit|opText, bytes.Repeat([]byte(" "), large))
	return frame[:len(frame)-100]
}

// As many connections as the server takes by default begin a request, or a
// message, and never end it.
func TestUnfinished(t *testing.T) {
	requests, messages := 2500, 4500
	if inFull() {
		requests, messages = mostPlaces(t)
	}
	a := begin(t, setup{name: "requests and messages that are begun and never ended"})
	var sockets crowdOfSockets
	defer sockets.leave()
	half := a.halfHeader()
	a.each(requests, func(int) {
		conn, err := net.DialTimeout("tcp", a.server.addr, patience)
		if err != nil {
			a.tally.refuse("no connection")
			return
		}
		sockets.add(conn)
		_, err = conn.Write(half)
		_ = err // it was cut, which is counted there
	})
	half = halfMessage()
	for _, p := range a.guests(messages, 250, "room=silent") {
		p.write(half)
	}
	err := within(t.Context(), patience, a.told(func() bool {
		return a.counted("roomd_http_cut_unfinished_total") > 0 && a.counted("roomd_session_unfinished_cut_total") > 0
	}))
	a.holds(err == nil, "none of %d requests and %d messages was cut: %s", requests, messages, a.counters())
	pause(t.Context(), lasts(500*time.Millisecond, 10*time.Second)) // a message has 15 s
	a.wave = fmt.Sprintf("%d requests and %d messages begun", requests, messages)
	a.end()
}

// mostPlaces is how many connections the server takes by default that begin a
// request, and that are WebSockets, but for some for the bystanders.
func mostPlaces(t *testing.T) (requests, sockets int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	files := int(min(limit.Max, 20_000)) - 1500
	return files / 4, files*3/4 - 100
}

// each does something n times, 20 at once.
func (a *attack) each(n int, do func(int)) {
	var all sync.WaitGroup
	for worker := range 20 {
		all.Go(func() {
			for i := worker; i < n; i += 20 {
				do(i)
			}
		})
	}
	all.Wait()
}

// guests connects so many who never read, from so many addresses.
func (a *attack) guests(n, addresses int, query string) (list []*peer) {
	var mu sync.Mutex
	a.each(n, func(n int) {
		p, err := a.knock(visit{from: fmt.Sprintf("198.51.100.%d", 1+n%addresses), query: query, deaf: true}, nil)
		if err != nil {
			return // counted
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, p)
	})
	return list
}

// crowdOfSockets is connections that are no WebSockets.
type crowdOfSockets struct {
	mu   sync.Mutex
	list []net.Conn
}

func (c *crowdOfSockets) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, conn)
}

func (c *crowdOfSockets) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.list {
		conn.Close()
	}
}
