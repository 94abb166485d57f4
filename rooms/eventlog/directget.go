package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Headers that JetStream sets on direct get replies and on republished messages.
// A publisher may have set values of its own, which come first: only the last
// value is the server's.
const (
	hdrSequence     = "Nats-Sequence"
	hdrLastSequence = "Nats-Last-Sequence"
	hdrNumPending   = "Nats-Num-Pending"
	hdrUpTo         = "Nats-UpTo-Sequence"
	hdrSubject      = "Nats-Subject"
	hdrTimeStamp    = "Nats-Time-Stamp"
	hdrStatus       = "Status"
	hdrDescription  = "Description"
)

// HeaderBy names and authenticates an event's author; package rooms signs and
// verifies it.
const HeaderBy = "Roomd-By"

const directGetSubject = "$JS.API.DIRECT.GET." // and the stream's name

// errNoResponders: nobody answers for the stream, so it has no leader at the
// moment.
var errNoResponders = errors.New("the log has no leader now")

// storedMessage is one message of the stream.
type storedMessage struct {
	follow.Event
	token string // of the room
}

// directRequest is the body of a direct get: JetStream API, "Direct Get".
type directRequest struct {
	Seq       uint64   `json:"seq,omitempty"`
	NextBySub string   `json:"next_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MaxBytes  int      `json:"max_bytes,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
}

// directAnswer is the answer to one batch request, collected from its replies.
type directAnswer struct {
	list []storedMessage
	last uint64 // the last sequence it covers, even if that message cannot be read
	more bool   // the replica has further messages
	upTo uint64 // the replica's last sequence; only for multi_last with a result

	skipped bool // the previous message could not be read
}

// errGap: a reply was lost, so the answer has a gap.
var errGap = errors.New("a part of an answer of the log was lost on its way")

// directGet sends one batch request and collects the replies. If there is
// nothing, the answer is empty and not an error.
func (l *Log) directGet(ctx context.Context, req directRequest) (answer directAnswer, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return answer, fmt.Errorf("encode a direct get: %w", err)
	}
	inbox := l.nc.NewInbox()
	// Not Subscription.NextMsg: it would take a stored event with a header
	// "Status: 503" for an error of the server.
	replies := make(chan *nats.Msg, max(req.Batch, len(req.MultiLast))+1)
	sub, err := l.nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return answer, fmt.Errorf("subscribe for a direct get: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := l.nc.PublishRequest(directGetSubject+l.name, inbox, body); err != nil {
		return answer, fmt.Errorf("publish a direct get: %w", err)
	}
	silence := time.NewTimer(RequestTimeout)
	defer silence.Stop()
	for {
		select {
		case msg := <-replies:
			silence.Reset(RequestTimeout)
			if end, err := answer.addReply(msg, len(req.MultiLast) > 0); end || err != nil {
				return answer, err
			}
		case <-silence.C:
			return answer, fmt.Errorf("direct get of %.100s: nothing came for %s", body, RequestTimeout)
		case <-ctx.Done():
			return answer, fmt.Errorf("direct get of %.100s: %w", body, ctx.Err())
		}
	}
}

// addReply adds one reply. The server sets a sequence and a subject on every
// stored message; a reply without them has a status of the server's own, which
// ends the answer. A message whose headers cannot be parsed has neither and is
// skipped.
func (a *directAnswer) addReply(msg *nats.Msg, multi bool) (end bool, err error) {
	seq, errSeq := headerUint(msg.Header, hdrSequence)
	_, token, ok := wire.SubjectToken(lastValue(msg.Header, hdrSubject))
	if errSeq == nil && ok {
		if err := a.checkContiguous(msg); err != nil {
			return true, err
		}
		a.list = append(a.list, storedMessage{follow.Event{Seq: seq, Time: lastValue(msg.Header, hdrTimeStamp), Body: msg.Data, By: msg.Header.Get(HeaderBy)}, token})
		a.last = seq
		return false, nil
	}
	status, description := msg.Header.Get(hdrStatus), msg.Header.Get(hdrDescription)
	switch {
	case status == "":
		a.skipped = true
		return false, nil
	case status == "204":
		if err := a.checkContiguous(msg); err != nil {
			return true, err
		}
		pending, err := headerUint(msg.Header, hdrNumPending)
		if err != nil {
			return true, err
		}
		last, err := headerUint(msg.Header, hdrLastSequence)
		a.last, a.more = max(a.last, last), pending > 0
		if err == nil && multi {
			a.upTo, err = headerUint(msg.Header, hdrUpTo)
		}
		return true, err
	case status == "404" && (!multi || len(a.list) == 0 && description == "No Results"):
		return true, nil
	case status == "503":
		return true, errNoResponders
	}
	return true, fmt.Errorf("direct get: the log says %s %s", status, description)
}

// checkContiguous checks that no reply was lost before this one: each names the
// sequence of the one before it.
func (a *directAnswer) checkContiguous(msg *nats.Msg) error {
	before, err := headerUint(msg.Header, hdrLastSequence)
	if err == nil && before != a.last && !a.skipped {
		err = fmt.Errorf("after sequence %d comes what follows %d: %w", a.last, before, errGap)
	}
	a.skipped = false
	return err
}

// lastValue returns the last value of a header, the one that the server has
// set.
func lastValue(h nats.Header, key string) string {
	v := h[key]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

func headerUint(h nats.Header, key string) (uint64, error) {
	n, err := strconv.ParseUint(lastValue(h, key), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("header %s: %w", key, err)
	}
	return n, nil
}

// ErrNoCopy is returned for a message on a log subject that was not republished
// by the stream.
var ErrNoCopy = errors.New("the message has not the headers that the stream gives a copy")

// Copy parses a message that the stream has republished. The body is shared
// with msg.
func Copy(msg *nats.Msg) (follow.Copy, error) {
	seq, errSeq := headerUint(msg.Header, hdrSequence)
	prev, errPrev := headerUint(msg.Header, hdrLastSequence)
	if errSeq != nil || errPrev != nil || prev >= seq {
		return follow.Copy{}, ErrNoCopy
	}
	return follow.Copy{Event: follow.Event{Seq: seq, Time: lastValue(msg.Header, hdrTimeStamp), Body: msg.Data, By: msg.Header.Get(HeaderBy)}, Prev: prev, From: seq}, nil
}

// CopySeq returns the sequence of a copy as the text in its header.
func CopySeq(msg *nats.Msg) string { return lastValue(msg.Header, hdrSequence) }

// OfStream reports whether a copy is of that stream.
func OfStream(msg *nats.Msg, stream string) bool {
	return lastValue(msg.Header, "Nats-Stream") == stream
}
