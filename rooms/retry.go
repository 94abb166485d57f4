package rooms

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// revival ends the pauses between attempts when NATS, or the log, is back: in a
// long outage they grow to seconds, in which a table would stand still although
// everything is there again. Its methods may be called from any goroutine.
type revival struct {
	mu   sync.Mutex
	next chan struct{} // closed by now; nil: nobody waits
}

// soon is closed at the next now. Who takes it before an attempt misses none.
func (r *revival) soon() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.next
}

func (r *revival) now() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		close(r.next)
		r.next = nil
	}
}

// pause is eventlog.Pause that ends early, which it reports.
func (e *Engine) pause(ctx context.Context, attempt int, early <-chan struct{}) (ended bool, err error) {
	d := eventlog.BeforeAttempt(attempt)
	if d > 0 && e.cfg.tuning.pause > 0 {
		d = e.cfg.tuning.pause
	}
	return eventlog.PauseUntil(ctx, d, early)
}

// resendNow publishes again what has no ack: who should have given it has gone.
func (e *Engine) resendNow() {
	e.pub.ResendNow()
	e.appender.GiveUp()
	e.revived.now()
}

// onPublishReconnect runs on nats.go's goroutine. The acks of what was under way
// are lost.
func (e *Engine) onPublishReconnect(nc *nats.Conn) {
	e.cfg.Log.Info().Str("url", nc.ConnectedUrlRedacted()).Msg("the connection for publishing is back; publishing again what has no ack")
	if e.connected.Load() {
		e.resendNow()
		together(e.nc)
	}
}

// together has a connection that is still away try at once, as the other one of
// this engine is back: the nodes that hear this one send commands that it cannot
// store yet.
func together(nc *nats.Conn) {
	if nc.IsReconnecting() {
		_ = nc.ForceReconnect() // fails only when it is closed
	}
}
