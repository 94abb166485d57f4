package rooms

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// labelEvery is how often, at most, the owner of a table stores what a lobby
	// shows of it.
	labelEvery = time.Second
	// labelRetries is how often that time is doubled while the label cannot be
	// stored.
	labelRetries = 6
)

// tableLabel is what the owner of a table knows of its label. It is owned by the
// owner's actor.
type tableLabel struct {
	made     bool
	of       uint64    // the step after which it was made
	at       time.Time // when
	storing  bool      // a store runs
	attempts int       // to store it, since the last success
	refused  bool      // the rules' label was, and that was logged
	happened bool      // something, since the table was loaded
	timer    *time.Timer
}

type (
	// labelDue says that labelEvery is over.
	labelDue struct{ of *owner }
	// labelStored is what became of a label.
	labelStored struct {
		of  *owner
		err error
	}
)

func (labelDue) ownerMessage()    {}
func (labelStored) ownerMessage() {}

func (o *owner) onLabel(m ownerMessage) {
	if m, ok := m.(labelStored); ok && m.of == o {
		o.label.storing = false
		if o.label.attempts++; m.err == nil {
			o.label.attempts = 0
		}
		o.label.made = o.label.made && m.err == nil
	}
}

// showLabel stores the label that the rules make of the table as it is, if it is
// another one than the lobby has. One of a former owner that comes late is replaced
// with the next step. A table that has not begun has none, and one at which nobody
// is and nothing has happened gets none: who only asks how it is, or is not let in,
// puts it in nobody's list.
func (o *owner) showLabel() {
	l := &o.label
	if o.log.Last() == 0 {
		_ = o.putAwayLabel() // of one whose steps are lost, or that the site set before this was a table
		return
	}
	if !l.happened && len(o.who.there) == 0 && o.log.Present() == 0 || l.storing || l.made && l.of == o.log.Last() {
		return
	}
	every := labelEvery << min(l.attempts, labelRetries)
	if wait := every - time.Since(l.at); wait > 0 {
		o.awaitLabel(wait)
		return
	}
	l.made, l.of, l.at = true, o.log.Last(), time.Now()
	raw, err := o.log.Label()
	var text json.RawMessage
	if err == nil {
		text, err = wire.CleanLabel(raw)
	}
	if err != nil {
		o.eng.stats.LabelsRefused.Add(1)
		if !l.refused {
			o.eng.roomLog(o.room).Error().Err(err).Msg("the label that the rules make of a table cannot be shown; the lobby shows the one before")
		}
		l.refused = true
		return
	}
	o.storeLabel(text)
}

// storeLabel stores a label beside the owner; nil removes it.
func (o *owner) storeLabel(text json.RawMessage) {
	if bytes.Equal(text, o.eng.Label(o.room)) {
		return
	}
	if text != nil && !o.eng.labels.takePlace(o.room) {
		o.eng.tableStats.Unlabelled.Add(1)
		o.label.made = false
		o.label.attempts++
		o.awaitLabel(labelEvery << min(o.label.attempts, labelRetries))
		return
	}
	o.label.storing = true
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*eventlog.RequestTimeout)
		defer cancel()
		future, text, err := o.eng.labels.publish(o.room, text, true)
		if err == nil {
			err = o.eng.labels.awaitStored(ctx, o.room, text, future)
		}
		o.post(labelStored{o, err})
	})
}

func (o *owner) awaitLabel(d time.Duration) {
	if o.label.timer == nil {
		o.label.timer = time.AfterFunc(d, func() { o.post(labelDue{o}) })
		return
	}
	o.label.timer.Reset(d)
}

// putAwayLabel removes the label of a table at which nobody is and nothing happens,
// so that tables which nobody comes back to do not fill the bucket. It reports
// whether that is done, or cannot be.
func (o *owner) putAwayLabel() bool {
	if o.eng.Label(o.room) == nil || o.label.attempts > labelRetries {
		return true
	}
	if !o.label.storing {
		o.storeLabel(nil)
	}
	return false
}

// lookedAt puts the label away of a table that is not unloaded only because it is
// asked how it is, again and again.
func (o *owner) lookedAt() {
	if time.Since(o.used) > o.eng.cfg.IdleAfter {
		_ = o.Idle() // puts it away if it reports true, or soon will
	}
}

// maxStrayLabels is how many tables, at most, a node loads at one look because they
// have a label that nobody looks after.
const maxStrayLabels = 16

// findLabels wakes tables whose turn is this node's, and that have a label and no
// owner: that one was lost before it could put the label away.
func (e *Engine) findLabels() {
	var stray []wire.Room
	for name := range e.labels.all() {
		room := wire.Room(name)
		if len(stray) == maxStrayLabels {
			break
		}
		if !e.IsTable(room) {
			continue
		}
		if _, owned := e.owners.Lookup(name); !owned && e.ownerOf(room, nil) == e.cfg.Node {
			stray = append(stray, room)
		}
	}
	for _, room := range stray {
		e.forward.wake(room, 0, nil)
	}
}
