package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Headers of the answers of JetStream's direct get and of republished
// messages. A publisher may have set its own values, which come first: only
// the last value counts.
const (
	hdrSequence     = "Nats-Sequence"
	hdrLastSequence = "Nats-Last-Sequence"
	hdrNumPending   = "Nats-Num-Pending"
	hdrSubject      = "Nats-Subject"
	hdrTimeStamp    = "Nats-Time-Stamp"
	hdrStatus       = "Status"
	hdrDescription  = "Description"
)

const directGetSubject = "$JS.API.DIRECT.GET." + StreamName

// multiLastRooms is how many rooms one multi_last request asks for, and
// multiLastBytes about how many bytes of their events come in one answer.
const (
	multiLastRooms = 1000
	multiLastBytes = 4 << 20
)

// errNoResponders: nobody answers for the stream, it has no leader now.
var errNoResponders = errors.New("the log has no leader now")

// stored is one message of the log.
type stored struct {
	seq   uint64
	token string // of the room
	time  string // RFC 3339, the log's own
	body  []byte
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
	more bool   // the log has further ones
}

// directGet sends one batch request and collects its answers. That there is
// nothing is an empty answer, not an error.
func directGet(ctx context.Context, nc *nats.Conn, req directRequest) (answer directAnswer, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return answer, fmt.Errorf("encode a direct get: %w", err)
	}
	inbox := nc.NewInbox()
	// Not Subscription.NextMsg: it would take a stored event with a header
	// "Status: 503" for the server's word.
	replies := make(chan *nats.Msg, max(req.Batch, len(req.MultiLast))+1)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return answer, fmt.Errorf("subscribe for a direct get: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := nc.PublishRequest(directGetSubject, inbox, body); err != nil {
		return answer, fmt.Errorf("publish a direct get: %w", err)
	}
	for {
		select {
		case msg := <-replies:
			if end, err := answer.take(msg, len(req.MultiLast) > 0); end || err != nil {
				return answer, err
			}
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
	token, ok := wire.SubjectToken(lastValue(msg.Header, hdrSubject))
	if errSeq == nil && ok {
		a.list = append(a.list, stored{seq: seq, token: token, time: lastValue(msg.Header, hdrTimeStamp), body: msg.Data})
		a.last = seq
		return false, nil
	}
	status, description := msg.Header.Get(hdrStatus), msg.Header.Get(hdrDescription)
	switch {
	case status == "":
		return false, nil
	case status == "204":
		pending, err := headerUint(msg.Header, hdrNumPending)
		if err != nil {
			return true, err
		}
		last, err := headerUint(msg.Header, hdrLastSequence)
		a.last, a.more = max(a.last, last), pending > 0
		return true, err
	case status == "404" && (!multi || len(a.list) == 0 && description == "No Results"):
		return true, nil
	case status == "503":
		return true, errNoResponders
	}
	return true, fmt.Errorf("direct get: the log says %s %s", status, description)
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

// lastSequences returns the last sequence of each room, by token; a room
// whose log is empty is not in it. The answers carry whole events, so one may
// end early: what is left is asked again.
func lastSequences(ctx context.Context, nc *nats.Conn, rooms []string) (map[string]uint64, error) {
	last := make(map[string]uint64, len(rooms))
	left := make([]string, len(rooms))
	for i, room := range rooms {
		left[i] = wire.EventSubject(room)
	}
	for len(left) > 0 {
		ask := left[:min(len(left), multiLastRooms)]
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		answer, err := directGet(ctx, nc, directRequest{MultiLast: ask, MaxBytes: multiLastBytes})
		cancel()
		if err != nil {
			return nil, err
		}
		for _, s := range answer.list {
			last[s.token] = s.seq
		}
		left = left[len(ask):]
		if answer.more && len(answer.list) > 0 {
			left = append(unanswered(ask, last), left...)
		}
	}
	return last, nil
}

func unanswered(subjects []string, last map[string]uint64) []string {
	var left []string
	for _, subject := range subjects {
		if token, _ := wire.SubjectToken(subject); last[token] == 0 {
			left = append(left, subject)
		}
	}
	return left
}
