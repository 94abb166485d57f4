package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// countdown joins the outcomes of several publishes into one: the first error
// if there is one, else what the chief one got.
type countdown struct {
	finish func(rooms.Stored, error)

	mu    sync.Mutex
	left  int
	chief rooms.Stored
	err   error
}

func newCountdown(n int, finish func(rooms.Stored, error)) *countdown {
	return &countdown{finish: finish, left: n}
}

// done returns the callback of one publish.
func (d *countdown) done(chief bool) func(rooms.Stored, error) {
	return func(stored rooms.Stored, err error) {
		d.mu.Lock()
		d.left--
		last := d.left == 0
		if chief {
			d.chief = stored
		}
		if d.err == nil {
			d.err = err
		}
		d.mu.Unlock()
		if last {
			d.finish(d.chief, d.err)
		}
	}
}
