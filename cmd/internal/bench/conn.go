package bench

import (
	"bytes"
	"crypto/sha1" // #nosec: the protocol asks for it
	"encoding/base64"
	"errors"
	"fmt"
)

type connState uint8

const (
	closed connState = iota
	upgrading
	open
)

// conn is one connection. From reader.take on it is owned by its reader.
type conn struct {
	// fixed after newSwarm
	index int32
	room  int32
	node  int32
	pub   *publisher
	back  *returner // nil: it does not come back
	heard []heard   // of each sender in the room

	fd      int
	state   connState
	waiting int32  // for how many rooms to be joined or left
	carry   []byte // the beginning of a frame whose end was not read yet
	out     []byte // write buffer: what the socket did not take yet
	code    int    // with which the server closed it; 1006: without one
}

func userOf(c *conn) string { return fmt.Sprintf("b%d", c.index) }

// returns reports whether the connection resumes.
func (c *conn) returns() bool { return c.back != nil && c.back.resume != "" }

// heard is what one member got of one sender.
type heard struct {
	next uint32 // number of the message that is expected next
	got  uint32 // how many different ones came
}

// hear counts a message and returns by how much the expected number rose: more
// than 1 after a gap, 0 for a duplicate or a message out of order, which is not
// counted.
func (h *heard) hear(number uint32) uint32 {
	if number < h.next {
		return 0
	}
	moved := number + 1 - h.next
	h.next = number + 1
	h.got++
	return moved
}

// Sec-WebSocket-Key keeps a cache from answering. There is none here, so all
// connections send the same key.
const upgradeKey = "cm9vbWN0bCBiZW5jaCBrZQ=="

var upgradeAccept = func() []byte {
	sum := sha1.Sum([]byte(upgradeKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}()

// upgradeRequest is the client's opening handshake: RFC 6455 section 4.1.
func upgradeRequest(host, target, token string, compress bool) []byte {
	extra := ""
	if token != "" {
		extra = "Authorization: Bearer " + token + "\r\n"
	}
	if compress {
		extra += "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", target, host, upgradeKey, extra)
}

// upgraded checks the server's opening handshake at the beginning of data and
// returns its length in bytes; 0 when it is not all there yet.
func upgraded(data []byte, compress bool) (int, error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	head, body := data[:end], data[end+4:]
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return 0, fmt.Errorf("the server refuses the connection: %s %s", line, bytes.TrimSpace(body))
	}
	if !bytes.Contains(head, upgradeAccept) {
		return 0, fmt.Errorf("the server's handshake does not fit the request: %q", head)
	}
	if compress && !bytes.Contains(head, []byte("permessage-deflate")) {
		return 0, errors.New("the server does not compress: start it with --compress")
	}
	return end + 4, nil
}
