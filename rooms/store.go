package rooms

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// store is one stream that holds the logs of many rooms, and what this node
// knows of it as a whole. Rooms and inboxes have one each, so that neither can
// push out the other's events, and NATS permissions can tell them apart. The
// rest of a room's code does not depend on which one it is in.
type store struct {
	// fixed after open
	eng   *Engine
	space wire.Space
	log   *eventlog.Log

	epoch    atomic.Pointer[string] // changes only when the stream is created again
	handles  handles                // of the open rooms
	copies   receivedCopies
	counters storeCounters

	state atomic.Pointer[eventlog.StreamState] // at the last check; nil: there was none yet

	checkNow        chan struct{} // asks checkLoop to compare all rooms now
	settingsChanged chan struct{} // tells checkLoop that the stream's settings were changed
	seqReached      chan struct{} // tells checkLoop that nextCheckSeq was reached
	nextCheckSeq    atomic.Uint64 // the sequence at which half of the log has been replaced since all rooms were told its end
	deliveredSince  atomic.Uint64 // the last event delivered while a check was due; 0: none since the last check began
	suspect         atomic.Bool   // the log may have been rolled back: all rooms are to be compared with it
}

// storeCounters are counters for the tests of this package.
type storeCounters struct {
	checks   atomic.Int64 // of the stream's state
	reads    atomic.Int64 // of rooms' logs
	asks     atomic.Int64 // of the leader about a room
	compared atomic.Int64 // rooms, with the log
}

func newStore(e *Engine, space wire.Space) *store {
	return &store{eng: e, space: space, checkNow: make(chan struct{}, 1), settingsChanged: make(chan struct{}, 1), seqReached: make(chan struct{}, 1)}
}

// open opens the stream, and creates it if there is none.
func (st *store) open(ctx context.Context) (err error) {
	if st.log, err = eventlog.Open(ctx, st.eng.nc, st.eng.cfg.stream(st.space)); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	epoch := st.log.Epoch()
	st.epoch.Store(&epoch)
	return nil
}

// storeOf returns the store of a room.
func (e *Engine) storeOf(room wire.Room) *store { return e.stores[e.spaceOf(room)] }

// handleOf returns the handle of a room; nil if it is not open.
func (e *Engine) handleOf(room wire.Room) *handle {
	return e.storeOf(room).handles.get(wire.RoomToken(room))
}

// roomHandles returns every open room, tables too, without inboxes.
func (e *Engine) roomHandles() []*handle {
	return append(e.stores[wire.SpaceRooms].handles.all(), e.stores[wire.SpaceTables].handles.all()...)
}

// Epoch returns the present epoch of the log: see wire.Position.
func (st *store) Epoch() string { return *st.epoch.Load() }

// JetStream advisories of a stream, followed by its name: it has a new leader, so
// copies and acks of the old one may be lost without any connection having been
// lost; its settings were changed.
const (
	leaderSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."
	editedSubject = "$JS.EVENT.ADVISORY.STREAM.UPDATED."
)

func (st *store) watch() error {
	e, subject := st.eng, editedSubject+st.log.Name()
	_, err := e.nc.Subscribe(subject, func(*nats.Msg) {
		select {
		case st.settingsChanged <- struct{}{}:
		default: // already requested
		}
	})
	if err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", subject, err)
	}
	subject = leaderSubject + st.log.Name()
	_, err = e.nc.Subscribe(subject, func(*nats.Msg) {
		e.cfg.Log.Info().Str("stream", st.log.Name()).Msg("the log has a new leader; comparing all its rooms with it and publishing again what has no ack")
		e.resendNow()
		st.suspectAll()
	})
	if err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", subject, err)
	}
	return nil
}

// LogState is the state of a stream with the logs of rooms, or of inboxes, as
// of its last check, at most 3 s ago.
type LogState struct {
	Name        string // of the stream
	Messages    uint64
	Bytes       uint64
	First, Last uint64 // sequences
	ReplicaLag  uint64 // of the replica that lags furthest behind, in operations
	RoomsBehind int    // open rooms that have not delivered everything that this node knows to be in the log
}

// Logs returns the states of all streams, without asking NATS.
func (e *Engine) Logs() []LogState {
	list := make([]LogState, 0, len(e.stores))
	for _, st := range e.stores {
		state := LogState{Name: st.log.Name(), RoomsBehind: st.behind()}
		if s := st.state.Load(); s != nil {
			state.Messages, state.Bytes, state.First, state.Last, state.ReplicaLag = s.Messages, s.Bytes, s.First, s.Last, s.ReplicaLag
		}
		list = append(list, state)
	}
	return list
}

// behind counts the rooms that have not delivered everything that is known to
// be in the log.
func (st *store) behind() (count int) {
	for _, h := range st.handles.all() {
		if max(h.acked.Load(), h.known.Load()) > h.last.Load() {
			count++
		}
	}
	return count
}
