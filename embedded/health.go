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
	// healthInterval is how often the store is checked.
	healthInterval = time.Second
	// maxHealPause is the longest pause between restarts of JetStream that did
	// not help; the first is healthInterval, each further one twice as long.
	maxHealPause = 30 * time.Second
)

// Health returns nil if the store accepts writes, as far as is known, else why
// not, usually a *StoreError. It returns the result of the last check, at most
// a second old, even when nothing is published. With Memory it is always nil.
//
// After a failed write (disk full, no file descriptor left) nats-server stops
// writing to that stream and does not answer publishes to it, while reads go
// on. This package restarts JetStream inside the process as soon as the
// directory can be written to again: connections stay open, everything
// acknowledged is read back from the files, and requests in the meantime fail
// with no responders.
func (s *Server) Health() error {
	if err := s.health.Load(); err != nil {
		return *err
	}
	return nil
}

// JetStreamRestarts counts how often JetStream was restarted.
func (s *Server) JetStreamRestarts() int64 { return s.restarts.Load() }

// notListening is how Healthz's error begins when the server did not answer
// within a millisecond, which means that the machine is busy and nothing about
// the store.
const notListening = "failed to be ready for connections"

// healer checks the store of one server and restarts JetStream when it is
// stuck. It is owned by the goroutine of watch.
type healer struct {
	s     *Server
	opts  *server.Options
	dir   string
	pause time.Duration // before the next restart
	next  time.Time     // no restart before this
}

// watch checks the store every so often until ctx ends.
func (h *healer) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.setHealth(h.check(ctx, now))
		case <-ctx.Done():
			return
		}
	}
}

func (h *healer) setHealth(err error) {
	if err == nil {
		h.s.health.Store(nil)
		return
	}
	h.s.health.Store(&err)
}

// check checks the store once, and restarts JetStream where that is due.
func (h *healer) check(ctx context.Context, now time.Time) error {
	reason := h.s.jetStreamError()
	if reason == nil {
		h.pause, h.next = 0, time.Time{}
		return probe(h.dir, probeBytes, 1)
	}
	if err := probe(h.dir, healBytes, healFiles); err != nil {
		return err // more precise than JetStream's own
	}
	if now.Before(h.next) {
		return &StoreError{Dir: h.dir, Err: reason}
	}
	h.pause = min(max(2*h.pause, healthInterval), maxHealPause)
	h.next = now.Add(h.pause)
	if err := h.s.restartJetStream(ctx, h.opts); err != nil {
		return &StoreError{Dir: h.dir, Err: fmt.Errorf("%w (JetStream was started again because of: %w)", err, reason)}
	}
	h.s.log.Warn().AnErr("was", reason).Str("store", h.dir).Msg("the NATS store takes writes again: JetStream was started again inside this process")
	return nil
}

// jetStreamError returns what JetStream reports about itself, or about a stream
// that it no longer writes to or could not read; nil if all is well.
func (s *Server) jetStreamError() error {
	status := s.ns.Healthz(nil)
	if status.Status == "ok" || strings.HasPrefix(status.Error, notListening) {
		return nil
	}
	return errors.New(status.Error)
}

// restartJetStream stops JetStream, which may have stopped itself, and starts
// it again from its files.
func (s *Server) restartJetStream(ctx context.Context, opts *server.Options) error {
	if err := s.ns.ShutdownJetStream(); err != nil {
		return fmt.Errorf("stop JetStream: %w", err)
	}
	// Another goroutine may still be shutting it down, and would shut down the
	// new one.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.ns.JetStreamConfig() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// With unchanged options a reload does nothing but start JetStream if it is
	// off.
	if err := s.ns.ReloadOptions(opts.Clone()); err != nil {
		return fmt.Errorf("start JetStream: %w", err)
	}
	s.restarts.Add(1)
	return s.jetStreamError()
}

// damagedStream returns an error if JetStream could not read a stream's
// settings at the start and has left the stream out: a node would create it
// again, over what is left of the old one.
func (s *Server) damagedStream(dir string, log *serverLog) error {
	err := s.jetStreamError()
	if err == nil {
		return nil
	}
	detail := strings.Join(log.warnings(), "; ")
	if detail == "" {
		detail = err.Error()
	}
	return &StoreError{
		Dir:  dir,
		Err:  fmt.Errorf("it is damaged, and was left as it is: %s", detail),
		todo: "restore " + dir + " from a copy; or move the directory of that stream away, which gives up what is in it",
	}
}

// logMissingBlocks logs that files with messages are missing: the server goes
// on without them, and they cannot be restored from here. A bucket may also
// have lost a file because everything in it had expired when the process was
// killed.
func (s *Server) logMissingBlocks(dir string, log *serverLog) {
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
