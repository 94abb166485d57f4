//go:build unix

package cluster

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

// maxLine is above the longest line of the protocol, which is INFO.
const maxLine = 1 << 20

// frame is one message of the NATS protocol on its way to a client.
type frame struct {
	subject string // "" for what is no MSG or HMSG
	bytes   []byte // all of it, line ends included
}

// sequence is the event's in the log; "" for what is not from it.
func (f frame) sequence() string {
	_, rest, found := bytes.Cut(f.bytes, []byte("\r\nNats-Sequence: "))
	seq, _, ended := bytes.Cut(rest, []byte("\r\n"))
	if !found || !ended {
		return ""
	}
	return string(seq)
}

// readFrame reads the next frame.
func readFrame(r *bufio.Reader) (frame, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return frame{}, err
	}
	f := frame{bytes: bytes.Clone(line)}
	words := strings.Fields(string(line))
	if len(words) < 4 || words[0] != "MSG" && words[0] != "HMSG" {
		return f, nil
	}
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil || n < 0 || n > 64<<20 {
		return f, fmt.Errorf("the length in %q", line)
	}
	f.subject = words[1]
	start := len(f.bytes)
	f.bytes = append(f.bytes, make([]byte, n+len("\r\n"))...)
	_, err = io.ReadFull(r, f.bytes[start:])
	return f, err
}

func TestReadFrame(t *testing.T) {
	stream := "INFO {\"MSG\":\"a b c 9\"}\r\nMSG room.x.log 7 5\r\nab\r\nc\r\nPING\r\n" +
		"HMSG room.y.log 7 _INBOX.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\nMSG z 1 reply 0\r\n\r\n+OK\r\n-ERR 'MSG x 1 4'\r\n"
	want := []string{"", "room.x.log", "", "room.y.log", "z", "", ""}
	r := bufio.NewReader(strings.NewReader(stream))
	var all []byte
	for i, subject := range want {
		f, err := readFrame(r)
		if err != nil || f.subject != subject {
			t.Fatalf("frame %d: %q %q, %v; want %q", i, f.subject, f.bytes, err, subject)
		}
		all = append(all, f.bytes...)
	}
	if string(all) != stream {
		t.Errorf("the frames are %q", all)
	}
	for _, broken := range []string{"MSG x 1 5\r\nab", "PING", "MSG x 1 -1\r\n", "MSG x 1 many\r\n"} {
		if f, err := readFrame(bufio.NewReader(strings.NewReader(broken))); err == nil {
			t.Errorf("%q became %q", broken, f.bytes)
		}
	}
}
