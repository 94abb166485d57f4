package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// pendingWake is a wake-up of a table that is on its way.
type pendingWake struct {
	injected uint64
	again    bool // something came after it was sent
}

// wake has a table looked after, on whichever node decides: it is loaded, its
// timer is set, and injected commands up to that sequence are taken.
func (f *forwarder) wake(room wire.Room, injected uint64, gone []string) {
	f.mu.Lock()
	if w := f.wakes[room]; w != nil {
		w.injected, w.again = max(w.injected, injected), true
		f.mu.Unlock()
		return
	}
	f.wakes[room] = &pendingWake{injected: injected}
	f.mu.Unlock()
	f.send(room, forwarded{Wake: true, Injected: injected, Gone: gone}, func(d decided) { f.woken(room, d) })
}

// wakeAgain is after how long a wake-up that has failed is tried again.
const wakeAgain = time.Second

func (f *forwarder) woken(room wire.Room, d decided) {
	f.mu.Lock()
	w := f.wakes[room]
	delete(f.wakes, room)
	closed := f.closed
	f.mu.Unlock()
	switch {
	case closed:
	case d.Error != nil && d.Error.Code.Retryable() && d.Error.Code != wire.Internal:
		f.eng.tableStats.WakeRetries.Add(1)
		time.AfterFunc(wakeAgain, func() { f.wake(room, w.injected, nil) })
	case w.again:
		f.wake(room, w.injected, nil)
	}
}
