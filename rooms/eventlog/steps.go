package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// ErrWrongLast is that a subject's last sequence is another than the one that an
// append expects.
var ErrWrongLast = errors.New("the log has a later step of this table")

// ErrFull is that the stream has as many bytes as it may have.
var ErrFull = errors.New("the log of tables is full (--table-bytes)")

// Error codes of JetStream.
const (
	errCodeWrongLast = 10071
	errCodeFull      = 10077
)

// AppendStep publishes a message that says behind which one of its subject it
// belongs, and returns its sequence. ErrWrongLast is that the log has another one
// there, which may be this one, when it was sent before; any other error says
// nothing. It waits for RequestTimeout at most.
func (l *Log) AppendStep(ctx context.Context, msg *nats.Msg) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	reply, err := l.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", msg.Subject, err)
	}
	var ack ackMessage
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("append to %s: read the ack %.100q: %w", msg.Subject, reply.Data, err)
	}
	switch {
	case ack.Error == nil:
		return ack.Seq, nil
	case ack.Error.ErrCode == errCodeWrongLast:
		return 0, ErrWrongLast
	case ack.Error.ErrCode == errCodeFull:
		return 0, ErrFull
	}
	return 0, fmt.Errorf("append to %s: %w", msg.Subject, ack.Error)
}
