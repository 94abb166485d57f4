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

// Headers of the answers of JetStream's direct get and of republished
// messages. A publisher may have set its own values, which come first: only
// the last value counts.
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

// HeaderBy says of an event who it is from; what that is worth, the rooms know.
const HeaderBy = "Roomd-By"

const directGetSubject = "$JS.API.DIRECT.GET." // and the stream's name

// errNoResponders: nobody answers for the stream, it has no leader now.
var errNoResponders = errors.New("the log has no leader now")

// stored is one message of the log.
type stored struct {
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

// directAnswer is the answer to one batch request.
type directAnswer struct {
	list []stored
	last uint64 // sequence up to which it goes, also when its message cannot be read
	more bool   // the replica has further ones
	upTo uint64 // how far the replica was; only of multi_last with a result

	skipped bool // the last message could not be read
}

// errGap: a reply was lost, so the answer has a hole.
var errGap = errors.New("a part of an answer of the log was lost on its way")

// directGet sends one batch request and collects its answers. That there is
// nothing is an empty answer, not an error.
func (l *Log) directGet(ctx context.Context, req directRequest) (answer directAnswer, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return answer, fmt.Errorf("encode a direct get: %w", err)
	}
	inbox := l.nc.NewInbox()
	// Not Subscription.NextMsg: it would take a stored event with a header
	// "Status: 503" for the server's word.
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
			if end, err := answer.take(msg, len(req.MultiLast) > 0); end || err != nil {
				return answer, err
			}
		case <-silence.C:
			return answer, fmt.Errorf("direct get of %.100s: nothing came for %s", body, RequestTimeout)
		case <-ctx.Done():
			return answer, fmt.Errorf("direct get of %.100s: %w", body, ctx.Err())
		}
	}
}

// take reads one reply. The server sets a sequence and a subject on every
// stored message; the status of one without them is the server's own and ends
// the answer. A message whose headers nobody can read has neither: skipped.
func (a *directAnswer) take(msg *nats.Msg, multi bool) (end bool, err error) {
	seq, errSeq := headerUint(msg.Header, hdrSequence)
	_, token, ok := wire.SubjectToken(lastValue(msg.Header, hdrSubject))
	if errSeq == nil && ok {
		if err := a.joinsUp(msg); err != nil {
			return true, err
		}
		a.list = append(a.list, stored{follow.Event{Seq: seq, Time: lastValue(msg.Header, hdrTimeStamp), Body: msg.Data, By: msg.Header.Get(HeaderBy)}, token})
		a.last = seq
		return false, nil
	}
	status, description := msg.Header.Get(hdrStatus), msg.Header.Get(hdrDescription)
	switch {
	case status == "":
		a.skipped = true
		return false, nil
	case status == "204":
		if err := a.joinsUp(msg); err != nil {
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

// joinsUp checks that nothing was lost before a message of the answer: it says
// which one went before it.
func (a *directAnswer) joinsUp(msg *nats.Msg) error {
	before, err := headerUint(msg.Header, hdrLastSequence)
	if err == nil && before != a.last && !a.skipped {
		err = fmt.Errorf("after sequence %d comes what follows %d: %w", a.last, before, errGap)
	}
	a.skipped = false
	return err
}

// lastValue returns the last value of a header, which is the server's own.
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

// ErrNoCopy is for a message on a log's subject that is not from the stream.
var ErrNoCopy = errors.New("the message has not the headers that the stream gives a copy")

// Copy reads a message of the stream's republish. Its body is the message's.
func Copy(msg *nats.Msg) (follow.Copy, error) {
	seq, errSeq := headerUint(msg.Header, hdrSequence)
	prev, errPrev := headerUint(msg.Header, hdrLastSequence)
	if errSeq != nil || errPrev != nil || prev >= seq {
		return follow.Copy{}, ErrNoCopy
	}
	return follow.Copy{Event: follow.Event{Seq: seq, Time: lastValue(msg.Header, hdrTimeStamp), Body: msg.Data, By: msg.Header.Get(HeaderBy)}, Prev: prev, From: seq}, nil
}

// CopySeq is the sequence of a copy as it is written in its header.
func CopySeq(msg *nats.Msg) string { return lastValue(msg.Header, hdrSequence) }
