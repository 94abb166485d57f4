package rooms

import (
	"context"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// madeAnew says to an owner what was made anew, here or by another node, and is
// empty.
type madeAnew struct{ notes, snapshots bool }

func (madeAnew) ownerMessage() {}

// restore makes the bucket, and the stream of the snapshots, again when they are
// gone, and tells the owners, who have them filled.
func (n *tableNotes) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.eng.cfg.tuning.open)
	defer cancel()
	snapshots, err := n.eng.snapshots.Restore(ctx)
	if err != nil {
		return err
	}
	stream, err := n.js.Stream(ctx, "KV_"+TableBucket)
	if eventlog.IsStreamNotFound(err) {
		if _, err = n.openBucket(ctx); err == nil {
			stream, err = n.js.Stream(ctx, "KV_"+TableBucket)
		}
	}
	if err != nil {
		return fmt.Errorf("rooms: look whether there is the bucket %s: %w", TableBucket, err)
	}
	m := madeAnew{notes: isAnew(&n.created, stream.CachedInfo().Created), snapshots: isAnew(&n.snapshots, snapshots)}
	if m == (madeAnew{}) {
		return nil
	}
	n.eng.cfg.Log.Error().Bool("notes", m.notes).Bool("snapshots", m.snapshots).Msg("the bucket " + TableBucket + " or the stream " + eventlog.SnapshotsStream + " was gone, and is made anew; the tables that are loaded are written there again; was it deleted, or kept in memory by a server that was restarted?")
	n.eng.tellOwners(m)
	return nil
}

// isAnew reports whether what was created at one time is there since another.
func isAnew(was *time.Time, is time.Time) bool {
	anew := !was.IsZero() && !was.Equal(is)
	*was = is
	return anew
}

// onMadeAnew has the table written down, and noted, again.
func (o *owner) onMadeAnew(m madeAnew) {
	if m.notes {
		o.noted.busy, o.noted.found = 0, 0
		o.noteChange()
	}
	if k := &o.keeps; m.snapshots && o.log != nil {
		k.latest, k.held = nil, [eventlog.SnapshotsKept]uint64{}
		if !o.busy && !k.writing && o.log.Last() != 0 {
			o.snapshot()
		} else { // after the next step
			k.steps, k.bytes = max(k.steps, snapshotSteps), max(k.bytes, k.size)
		}
	}
}
