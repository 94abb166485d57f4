package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// MaxLasts is how many rooms one request asks for, and lastsBytes about how
// many bytes of their newest events come in one answer.
const (
	// MaxLasts is how many rooms one request asks for; lastsBytes is about how
	// many bytes of their newest events one answer has.
	MaxLasts   = 1000
	lastsBytes = 4 << 20
)

// errBehind: the replica that answered lags behind its leader.
var errBehind = errors.New("the log's replica is behind its leader")

// Openings returns where the logs of rooms stand, by token, including
// everything stored before the call. It retries until ctx ends.
func (l *Log) Openings(ctx context.Context, rooms []wire.Room) (openings map[string]follow.Opening, err error) {
	err = l.retry(ctx, func() error {
		checks, _, after, err := l.lasts(ctx, rooms, true)
		if err != nil {
			return err
		}
		openings = make(map[string]follow.Opening, len(checks))
		for token, c := range checks {
			openings[token] = follow.Opening{Epoch: after.Epoch, First: c.First, Last: c.Last, LastTime: strings.Clone(c.Time), HighWatermark: c.HighWatermark} // cloned: a room must not keep the whole header alive
		}
		return nil
	})
	return openings, err
}

// Checks returns, by token, what some replica, which may lag behind, has as the
// newest event of each room, and the last sequence that the log's leader had
// before.
func (l *Log) Checks(ctx context.Context, rooms []wire.Room) (checks map[string]follow.Check, last uint64, err error) {
	checks, before, _, err := l.lasts(ctx, rooms, false)
	return checks, before.Last, err
}

// lasts asks for the newest event of each room. The leader is asked for the
// stream's state before and after, so that all answers are of one epoch; if
// current, they must have everything that the leader had before.
func (l *Log) lasts(ctx context.Context, rooms []wire.Room, current bool) (checks map[string]follow.Check, before, after StreamState, err error) {
	if before, err = l.info(ctx); err != nil {
		return nil, before, after, err
	}
	checks = make(map[string]follow.Check, len(rooms))
	for part := range slices.Chunk(rooms, MaxLasts) {
		if err := l.lastOf(ctx, part, before, current, checks); err != nil {
			return nil, before, after, err
		}
	}
	if after, err = l.info(ctx); err != nil {
		return nil, before, after, err
	}
	for token, c := range checks {
		if after.Epoch != before.Epoch || after.Last < c.HighWatermark {
			return nil, before, after, errBehind // another epoch, or a deposed leader
		}
		c.First = after.First
		checks[token] = c
	}
	return checks, before, after, nil
}

// lastOf asks for up to MaxLasts rooms. The answers carry whole events, so one
// may end early: the rest is asked for again. An answer without any result does
// not say how far the replica was, so one more subject, the companion, which
// has events, is asked for as well.
func (l *Log) lastOf(ctx context.Context, rooms []wire.Room, now StreamState, current bool, checks map[string]follow.Check) error {
	left := make([]string, len(rooms))
	for i, room := range rooms {
		left[i] = l.cfg.Space.Capture(room)
	}
	if now.Empty {
		setChecks(checks, left, directAnswer{upTo: now.Last})
		return nil
	}
	companion, err := l.companionSubject(ctx, now)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		ask := left
		if !slices.Contains(left, companion) {
			ask = append(slices.Clone(left), companion)
		}
		answer, err := l.directGet(ctx, directRequest{MultiLast: ask, MaxBytes: lastsBytes})
		switch {
		case err != nil:
			return err
		case answer.upTo == 0:
			l.companion.Store(nil)
			return errBehind
		case current && answer.upTo < now.Last:
			return errBehind
		}
		left = setChecks(checks, left, answer)
	}
	return nil
}

// setChecks stores what an answer says of subjects, and returns those that are
// missing because it ended early.
func setChecks(checks map[string]follow.Check, subjects []string, answer directAnswer) (left []string) {
	for _, s := range answer.list {
		checks[s.token] = follow.Check{Last: s.Seq, Time: s.Time, HighWatermark: answer.upTo}
	}
	for _, subject := range subjects {
		_, token, _ := wire.SubjectToken(subject)
		if c, ok := checks[token]; ok && c.Last != 0 {
			continue
		}
		if answer.more {
			left = append(left, subject)
			continue
		}
		checks[token] = follow.Check{HighWatermark: answer.upTo}
	}
	return left
}

// companionSubject returns a subject that had an event when the leader was
// asked.
func (l *Log) companionSubject(ctx context.Context, now StreamState) (string, error) {
	if known := l.companion.Load(); known != nil {
		return *known, nil
	}
	msg, err := l.leaderGet(ctx, leaderRequest{Seq: now.Last})
	if err == nil && msg == nil {
		msg, err = l.leaderGet(ctx, leaderRequest{Seq: now.First})
	}
	if err != nil {
		return "", err
	}
	if msg == nil {
		return "", errBehind // discarded in the meantime; the caller tries again
	}
	l.companion.Store(&msg.Subject)
	return msg.Subject, nil
}

// Tokens returns the tokens of all rooms that have events after `after` up to
// `upto`, at most MaxUnfiltered sequences per request.
func (l *Log) Tokens(ctx context.Context, after, upto uint64) (map[string]bool, error) {
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	defer l.release()
	tokens := make(map[string]bool)
	for from := after + 1; from <= upto; {
		answer, err := l.directGet(ctx, directRequest{MaxBytes: readBytes, Seq: from, Batch: int(min(MaxUnfiltered, upto-from+1))})
		if err != nil {
			return nil, err
		}
		for _, s := range answer.list {
			tokens[s.token] = true
		}
		if answer.last < from {
			return nil, fmt.Errorf("read the log from %d to %d: %w", from, upto, errBehind)
		}
		from = answer.last + 1
	}
	return tokens, nil
}

// leaderRequest is the body of a request to the stream's leader for one
// message: JetStream API, "Get Message".
type leaderRequest struct {
	Seq       uint64 `json:"seq,omitempty"`
	LastBySub string `json:"last_by_subj,omitempty"`
	NextBySub string `json:"next_by_subj,omitempty"`
}

// leaderMessage is its answer.
type leaderMessage struct {
	Subject string `json:"subject"`
	Seq     uint64 `json:"seq"`
	Header  []byte `json:"hdrs"`
	Data    []byte `json:"data"`
	Time    string `json:"time"`
}

// event returns the message as a live copy or a direct get would have it: an
// event whose headers cannot be parsed is delivered to nobody, so it has no
// body here either.
func (m *leaderMessage) event() follow.Event {
	e := follow.Event{Seq: m.Seq, Time: m.Time, Body: m.Data}
	if len(m.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(m.Header)
		if err != nil {
			e.Body = nil
		}
		e.By = header.Get(HeaderBy)
	}
	return e
}

const leaderGetSubject = "$JS.API.STREAM.MSG.GET." // and the stream's name

// errCodeNoMessage is JetStream's "no message found".
const errCodeNoMessage = 10037

// leaderGet asks the stream's leader, or a server that still believes to be it,
// for one message; nil: it has none.
func (l *Log) leaderGet(ctx context.Context, req leaderRequest) (*leaderMessage, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode a request to the log's leader: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	msg, err := l.nc.RequestWithContext(ctx, leaderGetSubject+l.name, body)
	if err != nil {
		return nil, fmt.Errorf("ask the log's leader for %s: %w", body, err)
	}
	var answer struct {
		Message *leaderMessage `json:"message"`
		Error   *apiError      `json:"error"`
	}
	switch err := json.Unmarshal(msg.Data, &answer); {
	case err != nil:
		return nil, fmt.Errorf("read what the log's leader says to %s: %w", body, err)
	case answer.Message != nil:
		return answer.Message, nil
	case answer.Error != nil && answer.Error.ErrCode == errCodeNoMessage:
		return nil, nil
	}
	return nil, fmt.Errorf("ask the log's leader for %s: it says %s", body, msg.Data)
}
