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

// multiLastRooms is how many rooms one multi_last request asks for.
const multiLastRooms = 1000

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

// directGet sends one batch request and collects its answers; more says that
// the log has further ones. 404 is an empty answer, not an error.
func directGet(ctx context.Context, nc *nats.Conn, req directRequest) (list []stored, more bool, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, false, fmt.Errorf("encode a direct get: %w", err)
	}
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, fmt.Errorf("subscribe for a direct get: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := nc.PublishRequest(directGetSubject, inbox, body); err != nil {
		return nil, false, fmt.Errorf("publish a direct get: %w", err)
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return nil, false, errNoResponders
		}
		if err != nil {
			return nil, false, fmt.Errorf("direct get of %s: %w", body, err)
		}
		switch status := msg.Header.Get(hdrStatus); status {
		case "":
			s, err := readStored(msg)
			if err != nil {
				return nil, false, err
			}
			list = append(list, s)
		case "204":
			pending, err := headerUint(msg.Header, hdrNumPending)
			return list, pending > 0, err
		case "404":
			return list, false, nil
		case "503":
			return nil, false, errNoResponders
		default:
			return nil, false, fmt.Errorf("direct get of %s: %s %s", body, status, msg.Header.Get(hdrDescription))
		}
	}
}

func readStored(msg *nats.Msg) (stored, error) {
	seq, err := headerUint(msg.Header, hdrSequence)
	token, ok := wire.SubjectToken(lastValue(msg.Header, hdrSubject))
	if err != nil || !ok {
		return stored{}, fmt.Errorf("direct get answered without a sequence or a room's subject: %v", msg.Header)
	}
	return stored{seq: seq, token: token, time: lastValue(msg.Header, hdrTimeStamp), body: msg.Data}, nil
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
// whose log is empty is not in it.
func lastSequences(ctx context.Context, nc *nats.Conn, rooms []string) (map[string]uint64, error) {
	last := make(map[string]uint64, len(rooms))
	for len(rooms) > 0 {
		n := min(len(rooms), multiLastRooms)
		subjects := make([]string, n)
		for i, room := range rooms[:n] {
			subjects[i] = wire.EventSubject(room)
		}
		rooms = rooms[n:]
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		list, _, err := directGet(ctx, nc, directRequest{MultiLast: subjects})
		cancel()
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			last[s.token] = s.seq
		}
	}
	return last, nil
}
