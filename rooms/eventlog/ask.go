package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Ask asks the leader about a room, and about one sequence (0: none). It
// answers that the log ends before that sequence only when a majority of the
// replicas has answered the leader since; until then, and while there is no
// leader, it asks again, until ctx ends.
func (l *Log) Ask(ctx context.Context, room wire.Room, seq uint64) (v follow.Verdict, err error) {
	began := time.Now()
	err = l.retry(ctx, func() error {
		v, err = l.askOnce(ctx, room, seq, began)
		return err
	})
	return v, err
}

// askOnce puts a verdict together from several answers. It asks the leader for
// the state of the stream before and after: the answers in between are from one
// leader only if that is the same both times.
func (l *Log) askOnce(ctx context.Context, room wire.Room, seq uint64, began time.Time) (v follow.Verdict, err error) {
	subject := l.cfg.Space.Capture(room)
	before, err := l.info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return v, err
	}
	last, err := l.leaderGet(ctx, leaderRequest{LastBySub: subject})
	if err != nil {
		return v, err
	}
	v = follow.Verdict{Seq: seq, Epoch: before.Epoch, First: before.First, HighWatermark: before.Last}
	v.Count = int64(before.info.State.Subjects[subject])
	v.Limit, v.LimitSince = l.limitOf(before.info.Config)
	if last != nil {
		v.Last, v.LastTime, v.HighWatermark = last.Seq, last.Time, max(v.HighWatermark, last.Seq)
		oldest, err := l.leaderGet(ctx, leaderRequest{Seq: 1, NextBySub: subject})
		if err != nil {
			return v, err
		}
		if oldest != nil {
			v.Oldest = oldest.Seq
		}
		if l.cfg.Space == wire.SpaceTables && oldest != nil {
			// Nodes drop steps, so no limit says which ones the log has had.
			var step struct {
				Prev uint64 `json:"prev"`
			}
			if v.LimitSince = oldest.Seq; json.Unmarshal(oldest.Data, &step) == nil {
				v.LimitSince = step.Prev
			}
		}
	}
	at, err := l.leaderAt(ctx, seq)
	if err != nil {
		return v, err
	}
	after, err := l.info(ctx)
	if err != nil {
		return v, err
	}
	if after.Epoch != before.Epoch || after.leader() != before.leader() || after.Last < before.Last {
		return v, fmt.Errorf("the log had two leaders while it was asked about sequence %d; asking again", seq)
	}
	return v, judge(&v, subject, at, after, time.Since(began))
}

func (l *Log) leaderAt(ctx context.Context, seq uint64) (*leaderMessage, error) {
	if seq == 0 {
		return nil, nil
	}
	return l.leaderGet(ctx, leaderRequest{Seq: seq})
}

// judge decides what has become of v.Seq, at which the leader has the message
// at, or none. after is the state of the stream later.
func judge(v *follow.Verdict, subject string, at *leaderMessage, after StreamState, since time.Duration) error {
	switch {
	case v.Seq == 0:
	case at != nil && at.Subject == subject:
		v.State, v.Time = follow.Present, at.Time
		if v.Seq > v.Last { // it was stored in the meantime
			v.Last, v.LastTime, v.HighWatermark = v.Seq, at.Time, max(v.HighWatermark, v.Seq)
		}
	case at != nil:
		v.State = follow.OtherRoom
	case v.Seq <= v.HighWatermark:
		v.State = follow.Discarded
	case v.Seq <= after.Last:
		return fmt.Errorf("sequence %d was stored while the log was asked about it; asking again", v.Seq)
	case !after.quorumWithin(since):
		return fmt.Errorf("the log's leader ends at %d, before sequence %d, and has not heard from enough replicas to be sure; asking again", after.Last, v.Seq)
	default:
		v.State = follow.PastEnd
	}
	return nil
}
