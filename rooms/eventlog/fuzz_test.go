package eventlog

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// published is the header of a message as a publisher may have made it, with
// what the server adds at its end. ok is false for one that nobody can read.
func published(lines, added string) (nats.Header, bool) {
	raw := "NATS/1.0\r\n" + lines
	if lines != "" && !strings.HasSuffix(lines, "\r\n") {
		raw += "\r\n"
	}
	h, err := nats.DecodeHeadersMsg([]byte(raw + added + "\r\n"))
	return h, err == nil
}

var headerSeeds = []string{
	"", "Nats-Msg-Id: a\r\n", "Nats-Sequence: 99\r\nNats-Last-Sequence: 98\r\nNats-Time-Stamp: never\r\n", "nats-sequence: 5\r\n", "Roomd-By: user.AAAA\r\nRoomd-By: guest.B\r\n",
	"Status: 404\r\nDescription: No Results\r\n", "Nats-Subject: room.other.event\r\n", "Nats-Sequence : 1\r\n", "Nats-Num-Pending: 0\r\nNats-UpTo-Sequence: x\r\n", "A:\r\n b\r\n", ":\r\n", "\r\nX: y", "Status: 204\r\n",
}

// FuzzCopy: what the stream says of a copy counts, whatever its publisher has
// written before.
func FuzzCopy(f *testing.F) {
	for _, seed := range headerSeeds {
		f.Add(seed, []byte(`{"type":"note"}`))
	}
	const added = "Nats-Stream: ROOMS\r\nNats-Subject: room.x.event\r\nNats-Sequence: 7\r\nNats-Time-Stamp: 2026-11-20T12:00:00Z\r\nNats-Last-Sequence: 3\r\n"
	f.Fuzz(func(t *testing.T, lines string, body []byte) {
		if h, ok := published(lines, ""); ok { // on a log's subject past the stream
			if c, err := Copy(&nats.Msg{Header: h, Data: body}); err == nil && c.Prev >= c.Seq {
				t.Fatalf("%q: %d follows %d", lines, c.Seq, c.Prev)
			}
		}
		h, ok := published(lines, added)
		if !ok || strings.Contains(lines, "\r\n\r\n") || strings.HasPrefix(lines, "\r\n") || h.Get("Nats-Stream") == "" {
			return
		}
		c, err := Copy(&nats.Msg{Header: h, Data: body})
		want := follow.Event{Seq: 7, Time: "2026-11-20T12:00:00Z", By: h.Get(HeaderBy)}
		got := c.Event
		got.Body = nil
		if err != nil || got.Seq != want.Seq || got.Time != want.Time || got.By != want.By || c.Prev != 3 || !bytes.Equal(c.Body, body) {
			t.Fatalf("%q: %+v, %v", lines, c, err)
		}
	})
}

// FuzzDirectAnswer: the parts of an answer of the log, of which each may carry
// what a publisher wrote, are events or end it; a stored event is never taken
// for the server's word.
func FuzzDirectAnswer(f *testing.F) {
	for _, seed := range headerSeeds {
		f.Add(seed, true, false)
		f.Add(seed, false, true)
	}
	f.Add("Status: 204\r\nDescription: EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 0\r\n", false, false)
	const added = "Nats-Stream: ROOMS\r\nNats-Subject: room.x.event\r\nNats-Sequence: 7\r\nNats-Time-Stamp: 2026-11-20T12:00:00Z\r\nNats-Num-Pending: 1\r\nNats-Last-Sequence: 0\r\n"
	f.Fuzz(func(t *testing.T, lines string, isStored, multi bool) {
		end := ""
		if isStored {
			end = added
		}
		h, ok := published(lines, end)
		if !ok {
			return
		}
		var answer directAnswer
		over, err := answer.addReply(&nats.Msg{Header: h, Data: []byte("x")}, multi)
		if !isStored || strings.Contains(lines, "\r\n\r\n") || strings.HasPrefix(lines, "\r\n") || lastValue(h, hdrSequence) != "7" {
			return
		}
		if over || err != nil || len(answer.list) != 1 || answer.list[0].Seq != 7 || answer.list[0].token != "x" {
			t.Fatalf("%q: %+v, over: %t, %v", lines, answer, over, err)
		}
	})
}

// FuzzLeaderMessage: a header that nobody can read makes an event that nobody
// gets.
func FuzzLeaderMessage(f *testing.F) {
	for _, seed := range headerSeeds {
		f.Add([]byte("NATS/1.0\r\n" + seed + "\r\n"))
	}
	f.Add([]byte("HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		m := leaderMessage{Seq: 7, Header: header, Data: []byte("x"), Time: "t"}
		e := m.event()
		if _, err := nats.DecodeHeadersMsg(header); len(header) > 0 && (err != nil) != (e.Body == nil) {
			t.Fatalf("%q: %+v, %v", header, e, err)
		}
	})
}
