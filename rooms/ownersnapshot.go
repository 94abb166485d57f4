package rooms

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// snapshot writes the table down beside the owner, when as much was appended as
// the last one takes: so it never costs more than the steps do.
func (o *owner) snapshot() {
	data, err := o.log.Snapshot()
	if err != nil {
		o.fail(err)
		return
	}
	o.steps, o.sinceSnapshot, o.snapshotBytes = 0, 0, len(data)
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
		defer cancel()
		if err := o.eng.snapshots.Save(ctx, o.room, data); err != nil && !o.eng.closed() {
			o.eng.roomLog(o.room).Warn().Err(err).Msg("a table could not be written down; its next owner reads more steps")
		}
	})
}
