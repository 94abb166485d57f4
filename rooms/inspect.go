package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TableInfo is what an operator is told of a table; nothing of it is hidden from
// players who are not named.
type TableInfo struct {
	Name     wire.Room       `json:"name"`
	Node     string          `json:"node"`            // which one decides
	Rules    int             `json:"rules"`           // version, on that node
	Step     uint64          `json:"step"`            // the last one
	Steps    uint64          `json:"steps"`           // that the table has had
	Keys     int             `json:"keys"`            // commands that are remembered, so that none counts twice
	Taken    uint64          `json:"taken,omitempty"` // up to which sequence of the log of rooms commands were taken
	Busy     bool            `json:"busy"`
	Timer    int64           `json:"timer,omitempty"` // when it goes on by itself, ms since 1970
	State    json.RawMessage `json:"state,omitempty"` // as somebody sees it who has no part in it
	Snapshot *SnapshotInfo   `json:"snapshot,omitempty"`
	Stopped  *StoppedInfo    `json:"stopped,omitempty"` // nil: it has not
	// Last are the newest steps, as everybody may see them.
	Last []json.RawMessage `json:"last,omitempty"`
}

// SnapshotInfo is where the newest snapshot of a table stands.
type SnapshotInfo struct {
	Step   uint64 `json:"step"`   // the last one that is in it
	Behind int    `json:"behind"` // steps since then
	Bytes  int    `json:"bytes"`
}

// StoppedInfo says why a table stands still.
type StoppedInfo struct {
	Node    string `json:"node"` // where it failed first
	At      int64  `json:"at"`   // ms since 1970
	Version int    `json:"version"`
	Step    uint64 `json:"step,omitempty"` // the last one then
	Reason  string `json:"reason"`
}

// lastSteps is how many steps InspectTable returns.
const lastSteps = 10

// InspectTable tells how a table is. Its errors are *wire.Error: NotFound for a
// room that is none. ctx bounds the call.
func (e *Engine) InspectTable(ctx context.Context, room wire.Room) (TableInfo, error) {
	if !e.IsTable(room) {
		return TableInfo{}, errNoRules(room)
	}
	d := e.askTable(ctx, room, forwarded{Inspect: true})
	if d.Error != nil {
		return TableInfo{}, d.Error
	}
	if d.Table == nil {
		return TableInfo{}, wire.Errorf(wire.Unavailable, "the node that decides for %q is of a version that cannot be asked; ask again when all are updated", room)
	}
	page, err := e.History(ctx, room, 0, lastSteps)
	d.Table.Last = page.Events
	return *d.Table, err
}

func errNoRules(room wire.Room) error {
	return wire.Errorf(wire.NotFound, "no rules decide for the room %q; see --tables", room)
}

// ResumeTable has a table go on that has stopped because its rules failed. Its
// errors are *wire.Error: NotFound for one that has not. ctx bounds the call.
func (e *Engine) ResumeTable(ctx context.Context, room wire.Room) error {
	if !e.IsTable(room) {
		return errNoRules(room)
	}
	_, revision, err := e.notes.stoppedAt(ctx, room)
	if err != nil {
		return err
	}
	if revision == 0 {
		return wire.Errorf(wire.NotFound, "the table %q has not stopped", room)
	}
	if err := e.notes.remove(ctx, stoppedNote, room, revision); err != nil {
		return err
	}
	e.roomLog(room).Info().Msg("a table that had stopped is resumed")
	if _, err := e.requestAllNodes(ctx, command{Op: opResume, Room: room}); err != nil {
		e.roomLog(room).Info().Err(err).Msg("not all nodes have heard that a table is resumed; they find out when they next read the notes")
	}
	return nil
}

// resumeHere is what a node does when it hears that a table is resumed.
func (e *Engine) resumeHere(room wire.Room) {
	e.resumeOwner(room)
	e.notes.look()
}

// resumeOwner has the owner of a table that has stopped, if it is here, go on.
func (e *Engine) resumeOwner(room wire.Room) {
	if ref, ok := e.owners.Lookup(string(room)); ok {
		_ = ref.Send(resumeRequest{}) // one that has ended reads the notes when it is started
	}
}

// inspectRequest is answered between two steps.
type inspectRequest struct {
	route
	done answerFunc
}

func (inspectRequest) ownerMessage() {}

func (o *owner) onInspect(m inspectRequest) {
	if o.leaves(m.route) {
		m.done(o.toWriter())
		return
	}
	o.asked = append(o.asked, m)
}

// inspect answers those who want to know how the table is.
func (o *owner) inspect() {
	if len(o.asked) == 0 {
		return
	}
	info, err := o.info()
	if err != nil {
		o.fail(err)
		return
	}
	for _, m := range o.asked {
		m.done(decided{Table: &info})
	}
	o.asked = nil
}

func (o *owner) info() (info TableInfo, err error) {
	info = TableInfo{Name: o.room, Node: o.eng.cfg.Node, Rules: o.game.Version()}
	if s := o.noted.stopped; s != nil {
		info.Step = s.Step
		info.Stopped = s
		return info, nil
	}
	k := &o.keeps
	info.Step, info.Steps, info.Keys, info.Taken = o.log.Last(), k.count, o.log.Keys(), o.log.Taken()
	if k.held[0] != 0 {
		info.Snapshot = &SnapshotInfo{Step: k.held[0], Behind: k.steps, Bytes: k.size}
	}
	if info.Busy, err = o.log.Busy(); err == nil {
		info.Timer, err = o.log.Timer()
	}
	if err == nil {
		info.State, err = o.log.View("")
	}
	return info, err
}

// stopped is what is told of a table whose rules have just failed, or were found
// to have failed before.
func (o *owner) stoppedInfo(err error) (info *StoppedInfo, isNew bool) {
	var before *stoppedBefore
	if errors.As(err, &before) {
		n := before.note
		return &StoppedInfo{Node: n.Node, At: n.At, Version: n.Version, Step: n.Step, Reason: n.Reason}, false
	}
	var broken *table.Broken
	if !errors.As(err, &broken) {
		return nil, false
	}
	info = &StoppedInfo{Node: o.eng.cfg.Node, At: time.Now().UnixMilli(), Version: o.game.Version(), Reason: broken.Error()}
	var at *brokenAt
	switch {
	case o.log != nil:
		info.Step = o.log.Last()
	case errors.As(err, &at):
		info.Step = at.step
	}
	return info, true
}
