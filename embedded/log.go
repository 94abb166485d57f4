package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/rs/zerolog"
)

// serverLog is nats-server's logger. A fatal message ends nothing: it is kept
// for startError.
type serverLog struct {
	log zerolog.Logger // fixed

	// guarded by mu
	mu      sync.Mutex
	fatal   *fatalError // the first one; nil if none
	started bool        // startError was asked: from here on a fatal message is only logged
	warned  []string    // the first warnings of the start
}

// keptWarnings is how many warnings of a start are kept for its error.
const keptWarnings = 8

// warnings are what the server warned of while it started.
func (l *serverLog) warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warned
}

// Noticef is debug for us: the server announces each start in a dozen lines
// that nobody but a person debugging it reads.
func (l *serverLog) Noticef(format string, v ...any) { l.write(zerolog.DebugLevel, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.write(zerolog.ErrorLevel, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.write(zerolog.DebugLevel, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.write(zerolog.TraceLevel, format, v) }

// Warnf is a warning for us too; those of a start may be the reason why it is
// no good.
func (l *serverLog) Warnf(format string, v ...any) {
	l.mu.Lock()
	if !l.started && len(l.warned) < keptWarnings {
		l.warned = append(l.warned, strings.TrimSpace(fmt.Sprintf(format, v...)))
	}
	l.mu.Unlock()
	l.write(zerolog.WarnLevel, format, v)
}

// Fatalf keeps the message and the cause among its arguments. While starting it
// is not logged: Start returns it, and its caller logs it once.
func (l *serverLog) Fatalf(format string, v ...any) {
	f := &fatalError{text: fmt.Sprintf(format, v...)}
	for _, arg := range v {
		if err, ok := arg.(error); ok {
			f.cause = err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.started:
		l.write(zerolog.ErrorLevel, "%s", []any{f.text})
	case l.fatal == nil:
		l.fatal = f
	}
}

func (l *serverLog) write(level zerolog.Level, format string, v []any) {
	event := l.log.WithLevel(level)
	if !event.Enabled() {
		return // spares the formatting
	}
	event.Str("component", "nats-server").Msg(strings.TrimSpace(fmt.Sprintf(format, v...)))
}

// startError is what made the server's start fail, by type; nil if it did not.
func (l *serverLog) startError(addr, dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	f := l.fatal
	switch {
	case f == nil:
		return nil
	case errors.Is(f, syscall.EADDRINUSE):
		return &AddrInUseError{Addr: addr}
	case strings.HasPrefix(f.text, "Error listening"):
		return &AddrError{Addr: addr, Err: f.cause}
	case strings.HasPrefix(f.text, "Can't start JetStream"):
		return &StoreError{Dir: dir, Err: f.cause}
	}
	return fmt.Errorf("embedded: start the NATS server: %w", f)
}

// fatalError is a Fatalf call of nats-server.
type fatalError struct {
	text  string
	cause error // the error among the arguments; nil if there was none
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }
