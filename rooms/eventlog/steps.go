package eventlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// ErrWrongLast is what a *WrongLastError is.
var ErrWrongLast = errors.New("the log has a later message of this subject")

// WrongLastError is that a subject's last sequence is another than the one that
// an append expects.
type WrongLastError struct {
	Last uint64 // the subject's last sequence, at least
}

func (e *WrongLastError) Error() string {
	return fmt.Sprintf("the log has a later step of this table, at %d", e.Last)
}

// Is implements errors.Is.
func (e *WrongLastError) Is(target error) bool { return target == ErrWrongLast }

// ErrInProcess is that the log is taking another step of the same table just now.
var ErrInProcess = errors.New("the log is taking another step of this table; it says in a moment which")

// ErrFull is that the stream has as many bytes as it may have.
var ErrFull = errors.New("the log of tables is full (--table-bytes)")

// Error codes of JetStream.
const (
	errCodeWrongLast = 10071
	errCodeFull      = 10077
	errCodeInProcess = 10164
)

// WrongLast is err, and also ErrWrongLast where it is JetStream's refusal because
// of another last sequence.
func WrongLast(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == errCodeWrongLast {
		return errors.Join(ErrWrongLast, err)
	}
	return err
}

// stepAck reads what the log answers to a step: its sequence. A *WrongLastError is
// that the log has another one there, which may be this one, when it was sent
// before; ErrInProcess that it may be about to; ErrFull that it takes none; any
// other error says nothing.
func stepAck(data []byte) (seq uint64, err error) {
	ack, err := parseAck(data)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the ack %.100q: %w", data, err)
	case ack.Error == nil:
		return ack.Seq, nil
	case ack.Error.ErrCode == errCodeWrongLast:
		return 0, &WrongLastError{lastIn(ack.Error.Description)}
	case ack.Error.ErrCode == errCodeFull:
		return 0, ErrFull
	case ack.Error.ErrCode == errCodeInProcess:
		return 0, ErrInProcess
	}
	return 0, ack.Error
}

// lastIn reads the sequence at the end of "wrong last sequence: N"; 0: there is
// none.
func lastIn(description string) uint64 {
	n, _ := strconv.ParseUint(description[strings.LastIndexByte(description, ' ')+1:], 10, 64)
	return n
}

// Rooms lists the rooms that have events.
func (l *Log) Rooms(ctx context.Context) ([]wire.Room, error) {
	counts, err := l.Counts(ctx)
	return slices.Collect(maps.Keys(counts)), err
}

// Counts is how many events each room has.
func (l *Log) Counts(ctx context.Context) (map[wire.Room]uint64, error) {
	state, err := l.info(ctx, jetstream.WithSubjectFilter(l.cfg.Space.AllEvents()))
	if err != nil {
		return nil, err
	}
	counts := make(map[wire.Room]uint64, len(state.info.State.Subjects))
	for subject, n := range state.info.State.Subjects {
		space, token, _ := wire.SubjectToken(subject)
		if room, err := space.Room(token); err == nil { // what is no room, nobody can be in
			counts[room] = n
		}
	}
	return counts, nil
}

// StepsAfter asks the stream's leader for the step of a table that follows the
// one at prev, and for its last one, which is at `least` or later. It tries again
// until ctx ends. Their sequence is 0 when there is none.
func (l *Log) StepsAfter(ctx context.Context, room wire.Room, prev, least uint64) (next, last follow.Event, err error) {
	subject := l.cfg.Space.Capture(room)
	err = l.retry(ctx, func() error {
		msg, err := l.leaderGet(ctx, leaderRequest{LastBySub: subject})
		if err != nil {
			return err
		}
		if msg == nil && least == 0 {
			return nil
		}
		if msg == nil || msg.Seq < least {
			return fmt.Errorf("read the last step of %q: the server that answers ends before step %d: %w", room, least, errBehind)
		}
		last = msg.event()
		if msg, err = l.leaderGet(ctx, leaderRequest{Seq: prev + 1, NextBySub: subject}); err != nil {
			return err
		}
		if msg != nil {
			if next = msg.event(); next.Seq > last.Seq {
				last = next // it came in between
			}
		}
		return nil
	})
	return next, last, err
}
