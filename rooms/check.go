package rooms

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// checkLoop looks for live copies that were lost with nothing after them: a
// room that hears no more would not notice. It asks for the stream's last
// sequence, and only when that has moved for the rooms'.
func (e *Engine) checkLoop() {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	var seen uint64
	for {
		select {
		case <-tick.C:
			ctx, cancel := context.WithTimeout(e.ctx, requestTimeout)
			info, err := e.stream.Info(ctx)
			cancel()
			switch {
			case e.closed():
			case err != nil:
				e.cfg.Log.Warn().Err(err).Msg("the log does not say where it stands; trying again at the next check")
			case info.State.LastSeq != seen && e.checkAll():
				seen = info.State.LastSeq
			}
		case <-e.ctx.Done():
			return
		}
	}
}

// checkAll compares every open room with the log; false: it could not.
func (e *Engine) checkAll() bool { return e.check(e.handles.all()) }

// check compares the last sequences of rooms with the log and tells those that
// are behind.
func (e *Engine) check(list []*handle) bool {
	if len(list) == 0 || e.closed() {
		return true
	}
	names := make([]string, len(list))
	for i, h := range list {
		names[i] = h.name
	}
	ctx, cancel := context.WithTimeout(e.ctx, openTimeout)
	defer cancel()
	last, err := lastSequences(ctx, e.nc, names)
	if err != nil {
		if !e.closed() {
			e.cfg.Log.Warn().Err(err).Int("rooms", len(list)).Msg("the last sequences of rooms could not be compared with the log; trying again at the next check")
		}
		return false
	}
	for _, h := range list {
		if seq := last[h.token]; seq > h.last.Load() {
			e.post(h.self, checked{last: seq})
		}
	}
	return true
}

// onAsyncError is told by nats.go, on its goroutine, above all that copies for
// a subscription were dropped because the channel was full.
func (e *Engine) onAsyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub == nil || err != nats.ErrSlowConsumer {
		e.cfg.Log.Warn().Err(err).Msg("NATS reports an error on the engine's connection")
		return
	}
	e.stats.SlowConsumer.Add(1)
	token, _ := wire.SubjectToken(sub.Subject)
	if h := e.handles.get(token); h != nil {
		h.missed.Store(true)
		e.beside(func(context.Context) { e.check([]*handle{h}) })
	}
}
