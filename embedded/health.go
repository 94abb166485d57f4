package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// healthEvery is how often the store is looked at.
	healthEvery = time.Second
	// healPauseMost is the longest pause between two restarts of JetStream that
	// did not help; the first is healthEvery, each next twice as long.
	healPauseMost = 30 * time.Second
)

// Health is nil when the store takes writes, as far as is known, else why it
// does not: a *StoreError as a rule. It is answered from memory and a second
// old at most, also when nothing is published. With Memory it is always nil.
//
// After a failed write (the disk is full, no descriptor is left) nats-server
// writes nothing to that stream any more and does not answer who publishes to
// it, while reading goes on. The server here starts its JetStream again, inside
// the process, as soon as the store can be written to: connections stay, what
// was acknowledged is in the files, and who asks meanwhile is told that there
// is no responder.
func (s *Server) Health() error {
	if err := s.health.Load(); err != nil {
		return *err
	}
	return nil
}

// Heals counts how often JetStream was started again.
func (s *Server) Heals() int64 { return s.heals.Load() }

// notListening is how Healthz begins when the server did not answer it within a
// millisecond, which says that the machine is busy and nothing of the store.
const notListening = "failed to be ready for connections"

// healer watches the store of one server. It is owned by the goroutine of
// watch.
type healer struct {
	s     *Server
	opts  *server.Options
	dir   string
	pause time.Duration // before the next restart
	next  time.Time     // not before this is JetStream restarted
}

// watch looks until ctx ends.
func (h *healer) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.set(h.look(ctx, now))
		case <-ctx.Done():
			return
		}
	}
}

func (h *healer) set(err error) {
	if err == nil {
		h.s.health.Store(nil)
		return
	}
	h.s.health.Store(&err)
}

// look is one look, and a restart where that is due.
func (h *healer) look(ctx context.Context, now time.Time) error {
	stuck := h.s.stuck()
	if stuck == nil {
		h.pause, h.next = 0, time.Time{}
		return probe(h.dir, probeBytes, 1)
	}
	if err := probe(h.dir, healBytes, healFiles); err != nil {
		return err // which says why better than JetStream does
	}
	if now.Before(h.next) {
		return &StoreError{Dir: h.dir, Err: stuck}
	}
	h.pause = min(max(2*h.pause, healthEvery), healPauseMost)
	h.next = now.Add(h.pause)
	if err := h.s.restartJetStream(ctx, h.opts); err != nil {
		return &StoreError{Dir: h.dir, Err: fmt.Errorf("%w (JetStream was started again because of: %w)", err, stuck)}
	}
	h.s.log.Warn().AnErr("was", stuck).Str("store", h.dir).Msg("the NATS store takes writes again: JetStream was started again inside this process")
	return nil
}

// stuck is what JetStream says of a stream that it does not write to any more
// or could not read, or of itself; nil if all is well.
func (s *Server) stuck() error {
	status := s.ns.Healthz(nil)
	if status.Status == "ok" || strings.HasPrefix(status.Error, notListening) {
		return nil
	}
	return errors.New(status.Error)
}

// restartJetStream stops JetStream, which may have stopped itself, and starts
// it from its files.
func (s *Server) restartJetStream(ctx context.Context, opts *server.Options) error {
	if err := s.ns.ShutdownJetStream(); err != nil {
		return fmt.Errorf("stop JetStream: %w", err)
	}
	// It may be under way on another goroutine, which would take the new one
	// for the old.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.ns.JetStreamConfig() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// With the options that it has, a reload does nothing but to start a
	// JetStream that is off.
	if err := s.ns.ReloadOptions(opts.Clone()); err != nil {
		return fmt.Errorf("start JetStream: %w", err)
	}
	s.heals.Add(1)
	return s.stuck()
}

// unread is the error of a start in which JetStream left a stream out: its file
// with the settings is damaged. A node would make the stream anew, over what is
// left of the old one.
func (s *Server) unread(dir string, log *serverLog) error {
	err := s.stuck()
	if err == nil {
		return nil
	}
	said := strings.Join(log.warnings(), "; ")
	if said == "" {
		said = err.Error()
	}
	return &StoreError{
		Dir:  dir,
		Err:  fmt.Errorf("it is damaged, and was left as it is: %s", said),
		todo: "restore " + dir + " from a copy; or move the directory of that stream away, which gives up what is in it",
	}
}

// tellMissing says that files with messages are gone: the server goes on
// without them, and they cannot be brought back from here. A bucket may also
// have lost a file because all that was in it had expired when the process was
// killed.
func (s *Server) tellMissing(dir string, log *serverLog) {
	for _, warning := range log.warnings() {
		switch {
		case !strings.Contains(warning, "could not locate msg block"):
		case strings.Contains(warning, "[KV_"):
			s.log.Warn().Str("store", dir).Str("nats", warning).Msg("a file of a key-value bucket in the NATS store is not there: its entries had expired when the server was killed, or the file was removed; no stream but that bucket is concerned")
		default:
			s.log.Error().Str("store", dir).Str("nats", warning).Msg("a file of the NATS store is missing, and the events in it are gone; if there is a copy, stop, put the whole directory back, and start again")
		}
	}
}
