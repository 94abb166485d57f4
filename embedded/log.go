package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/rs/zerolog"
)

// serverLog is nats-server's logger. A fatal message does not end the process:
// it is kept for startError.
type serverLog struct {
	log zerolog.Logger // fixed

	// guarded by mu
	mu      sync.Mutex
	fatal   *fatalError // the first one; nil if none
	started bool        // startError was called: from here on a fatal message is only logged
	warned  []string    // the first warnings during the start
}

// maxWarnings is how many warnings during the start are kept for its error.
const maxWarnings = 8

// warnings returns what the server warned about while it started.
func (l *serverLog) warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warned
}

// Noticef logs at debug level: the server announces each start in a dozen lines
// that are of use only for debugging it.
func (l *serverLog) Noticef(format string, v ...any) { l.write(zerolog.DebugLevel, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.write(zerolog.ErrorLevel, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.write(zerolog.DebugLevel, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.write(zerolog.TraceLevel, format, v) }

// Warnf also keeps the warnings of the start: one of them may explain why it
// fails.
func (l *serverLog) Warnf(format string, v ...any) {
	l.mu.Lock()
	if !l.started && len(l.warned) < maxWarnings {
		l.warned = append(l.warned, strings.TrimSpace(fmt.Sprintf(format, v...)))
	}
	l.mu.Unlock()
	l.write(zerolog.WarnLevel, format, v)
}

// Fatalf keeps the message and the error among its arguments. During the start
// it is not logged: Start returns it, and its caller logs it once.
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

// startError returns why the server's start failed, as one of this package's
// types; nil if it did not.
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
