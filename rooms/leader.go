package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Direct gets are answered by any replica of the stream, which may be behind.
// What must be certain is asked of its leader.
const leaderGetSubject = "$JS.API.STREAM.MSG.GET." + StreamName

// errCodeNoMessage is JetStream's "no message found".
const errCodeNoMessage = 10037

// storedState is what has become of a sequence of a room.
type storedState uint8

const (
	isThere   storedState = iota
	discarded             // by a limit of the log, or it was another room's and has been
	neverWas              // it is another room's, or beyond the log's end
)

type leaderAnswer struct {
	state storedState
	time  string // the log's, of a message that is there
}

// leaderHas asks the leader for one sequence of the room.
func (e *Engine) leaderHas(ctx context.Context, room string, seq uint64) (leaderAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	msg, err := e.nc.RequestWithContext(ctx, leaderGetSubject, fmt.Appendf(nil, `{"seq":%d}`, seq))
	if err != nil {
		return leaderAnswer{}, fmt.Errorf("ask the log's leader for sequence %d: %w", seq, err)
	}
	var answer struct {
		Message *struct {
			Subject string    `json:"subject"`
			Time    time.Time `json:"time"`
		} `json:"message"`
		Error *apiError `json:"error"`
	}
	switch err := json.Unmarshal(msg.Data, &answer); {
	case err != nil:
		return leaderAnswer{}, fmt.Errorf("read what the log's leader says of sequence %d: %w", seq, err)
	case answer.Message != nil && answer.Message.Subject == wire.EventSubject(room):
		return leaderAnswer{isThere, answer.Message.Time.Format(time.RFC3339Nano)}, nil
	case answer.Message != nil:
		return leaderAnswer{state: neverWas}, nil
	case answer.Error == nil || answer.Error.ErrCode != errCodeNoMessage:
		return leaderAnswer{}, fmt.Errorf("ask the log's leader for sequence %d: it says %s", seq, msg.Data)
	}
	info, err := e.stream.Info(ctx)
	if err != nil {
		return leaderAnswer{}, fmt.Errorf("ask for the state of the stream %s: %w", StreamName, err)
	}
	if seq > info.State.LastSeq {
		return leaderAnswer{state: neverWas}, nil
	}
	return leaderAnswer{state: discarded}, nil
}
