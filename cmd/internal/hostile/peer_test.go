//go:build linux

package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visit says how an attacker connects.
type visit struct {
	from   string            // its address, in X-Forwarded-For; "": none
	query  string            // of /ws, without the question mark
	header map[string]string // more of them
	deaf   bool              // it never reads
}

// refusal is an HTTP answer to a handshake.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.status, r.body) }

// peer is an attacker's connection: bytes, and a reader that counts what comes.
type peer struct {
	conn  net.Conn
	tally *tally
	done  chan struct{} // closed when the server's side has ended; never, for one who is deaf
	hears func(frame []byte)
	left  atomic.Bool // by the attacker

	mu sync.Mutex // of writing: the reader answers pings
}

// upgrade is the text of a handshake.
func upgrade(addr string, v visit) string {
	header := map[string]string{"Host": addr, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
	if v.from != "" {
		header["X-Forwarded-For"] = v.from
	}
	for name, value := range v.header {
		header[name] = value
	}
	var text strings.Builder
	fmt.Fprintf(&text, "GET /ws?%s HTTP/1.1\r\n", v.query)
	for name, value := range header {
		fmt.Fprintf(&text, "%s: %s\r\n", name, value)
	}
	text.WriteString("\r\n")
	return text.String()
}

const patience = 15 * time.Second

// knock opens a connection. hears, if not nil, gets each text that comes, on
// the reader's goroutine; it must not keep it.
func (a *attack) knock(v visit, hears func([]byte)) (*peer, error) {
	conn, err := net.DialTimeout("tcp", a.server.addr, patience)
	if err != nil {
		a.tally.refuse("no connection")
		return nil, err
	}
	p := &peer{conn: conn, tally: a.tally, done: make(chan struct{}), hears: hears}
	r, err := p.shake(upgrade(a.server.addr, v))
	if err != nil {
		conn.Close()
		var refused *refusal
		if errors.As(err, &refused) {
			a.tally.refuse(fmt.Sprint("HTTP ", refused.status))
		} else {
			a.tally.refuse("no answer to a handshake")
		}
		return nil, err
	}
	a.tally.add(func(t *tally) { t.opened++ })
	a.peers.add(p)
	if !v.deaf {
		a.readers.Go(func() { p.read(r) })
	}
	return p, nil
}

func (p *peer) shake(text string) (*bufio.Reader, error) {
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(p.conn, text); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(p.conn, 64<<10)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(res.Body)
		return nil, errors.Join(&refusal{res.StatusCode, strings.TrimSpace(string(body))}, err)
	}
	return r, p.conn.SetDeadline(time.Time{})
}

// read counts what comes until the connection ends.
func (p *peer) read(r *bufio.Reader) {
	defer close(p.done)
	code := 1006
	buf := make([]byte, 0, 64<<10)
	for {
		op, data, err := nextFrame(r, buf[:0])
		if err != nil {
			break
		}
		buf = data
		p.tally.heard(op, data)
		switch op {
		case opText:
			if p.hears != nil {
				p.hears(data)
			}
		case opPing:
			p.frame(finalBit|opPong, data)
		case opClose:
			if code = 1005; len(data) >= 2 {
				code = int(binary.BigEndian.Uint16(data))
			}
			p.frame(finalBit|opClose, data)
		}
	}
	if !p.left.Load() {
		p.tally.add(func(t *tally) { t.closed[code]++ })
	}
	p.conn.Close()
}

// frame writes one; false when the connection is over.
func (p *peer) frame(first byte, data []byte) bool {
	return p.write(appendFrame(nil, first, data))
}

// write writes bytes as they are; false when the connection is over, or takes
// nothing for the time of patience.
func (p *peer) write(raw []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn.SetWriteDeadline(time.Now().Add(patience)) != nil {
		return false
	}
	n, err := p.conn.Write(raw)
	p.tally.add(func(t *tally) { t.sentBytes += int64(n) })
	return err == nil
}

// say sends one event.
func (p *peer) say(event string) bool {
	p.tally.add(func(t *tally) { t.sent++ })
	return p.frame(finalBit|opText, []byte(event))
}

// leave breaks the connection off.
func (p *peer) leave() {
	p.left.Store(true)
	p.conn.Close()
}

// over reports whether the server has ended the connection.
func (p *peer) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// awaitEnd waits for the server to end the connection.
func (p *peer) awaitEnd(ctx context.Context, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
