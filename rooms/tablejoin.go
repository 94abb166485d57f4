package rooms

import (
	"context"
	"errors"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// A member of a table gets its state with room_joined, as the owner had it after
// some step, and from then on must get every step behind that one. The room may be
// ahead of the state by then: it replays what lies between.

// stateAttempts is how often the owner is asked for a state, at most, when the room
// cannot replay what came after it.
const stateAttempts = 3

// errStateBehind is that the room cannot replay what came after the state.
var errStateBehind = errors.New("the table has gone on since its state was given")

// joinTable has the owner admit a member, and then the room.
func (e *Engine) joinTable(ctx context.Context, room wire.Room, j *joinRequest) error {
	for range stateAttempts {
		state, err := e.enterTable(ctx, room, j)
		if err != nil {
			return err
		}
		again := &joinRequest{member: j.member, since: j.since, id: j.id, stay: j.stay, state: state, done: make(chan error, 1)}
		if err := e.joinRoom(ctx, room, again); !errors.Is(err, errStateBehind) {
			return err
		}
		e.stats.StatesBehind.Add(1)
	}
	return wire.Errorf(wire.Unavailable, "the table goes on faster than its state can be shown; try again")
}

// enterTable asks whether a member may join a table, and for the state as it sees
// it, after all that this node knows to have been decided.
func (e *Engine) enterTable(ctx context.Context, room wire.Room, j *joinRequest) (*tableState, error) {
	ask := forwarded{Enter: true, Stay: j.stay, User: tableUser(j.member.User())}
	if h := e.handleOf(room); h != nil {
		ask.Seen = h.last.Load()
	}
	answer := make(chan decided, 1)
	e.forward.send(room, ask, func(d decided) { answer <- d })
	select {
	case d := <-answer:
		_, err := d.result()
		return d.State, err
	case <-ctx.Done():
		return nil, wire.Errorf(wire.Unavailable, "the table did not answer in time; try again")
	}
}

// covered reports whether a member that gets all events after seq gets all that are
// not in the state. The position of a room that has no event yet is where the log
// begins, which is behind any state of it.
func (r *room) covered(j *joinRequest, seq uint64) bool {
	return j.state == nil || seq <= j.state.Seq || r.follower.Newest() == 0
}

// catchUp joins a member anew who would miss what came after the state, with a
// replay of that.
func (r *room) catchUp(j *joinRequest) {
	if j.fromState {
		reply(j.done, errStateBehind)
		return
	}
	j.fromState = true
	if err := r.h.self.Send(j); err != nil { // not to the follower: it may be about to admit others
		reply(j.done, error(errBusy))
	}
}

// joinFromState has the follower replay what came after the state.
func (r *room) joinFromState(j *joinRequest) {
	r.follower.Join(&follow.Join{Since: &follow.Position{Epoch: r.follower.Position().Epoch, Seq: j.state.Seq}, Ref: j})
}

// refreshMembers gives the members of a table its state again, after it could not
// be said which steps they have missed. Who cannot get it connects again.
func (r *room) refreshMembers() {
	list := slices.Clone(r.fanout.members.list)
	e, room := r.eng, r.h.name
	e.background(func(ctx context.Context) {
		for _, m := range list {
			within, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
			err := e.joinTable(within, room, &joinRequest{member: m, stay: true})
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err != nil && wire.AsError(err).Code != wire.NotMember {
				e.roomLog(room).Debug().Err(err).Msg("a member of a table cannot be given its state; it connects again")
				m.Close(wire.ClosePositionLost)
			}
		}
	})
}

// behind reports whether an owner has not seen what the node has that asks for
// somebody to enter: then another node has decided meanwhile.
func (m enterRequest) behind(log *table.Log) bool { return m.seen > log.Last() }
