package node

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// listenError is a listener for HTTP that could not be opened.
type listenError struct{ err error }

func (e *listenError) Error() string { return e.err.Error() }
func (e *listenError) Unwrap() error { return e.err }

// explain wraps an error at startup in one that names the flag to change.
func explain(err error, cfg Config) error {
	var taken *embedded.AddrInUseError
	var addr *embedded.AddrError
	var locked *embedded.StoreLockedError
	var store *embedded.StoreError
	var secret *embedded.PasswordError
	var connect *embedded.ConnectError
	var listen *listenError
	var conflict *eventlog.ConflictError
	switch {
	case errors.As(err, &taken):
		return hint(err, "nats-addr", "another process uses that port, perhaps another roomd or a nats-server; stop it, or choose a port such as 127.0.0.1:4322, or - for none")
	case errors.As(err, &addr):
		return hint(err, "nats-addr", "write an address of this machine, such as 127.0.0.1:4222")
	case errors.As(err, &secret):
		return hint(err, "store-dir", "the file is in that directory, also with --store memory; choose one that this user may write to, or --nats-addr - for a NATS without a port")
	case errors.As(err, &locked):
		return hint(err, "store-dir", "stop that process, or choose another directory (or --store memory)")
	case errors.As(err, &store) && store.Damaged():
		return hint(err, "store-dir", store.Todo())
	case errors.As(err, &store):
		return hint(err, "store-dir", store.Todo()+", or choose another directory (or --store memory)")
	case errors.As(err, &connect):
		return hint(err, "nats-url", "check the URL and that it runs; --nats-creds or --nats-nkey say who we are, --nats-tls-ca whom we trust")
	case errors.As(err, &conflict):
		return explainConflict(conflict)
	case errors.As(err, &listen) && errors.Is(err, syscall.EADDRINUSE):
		return hint(fmt.Errorf("cannot listen for browsers on %s: the address is in use: %w", cfg.Addr, err), "addr", "another process uses that port, perhaps another roomd; stop it, or choose a port such as localhost:3001")
	case errors.As(err, &listen):
		return hint(fmt.Errorf("cannot listen for browsers on %s: %w", cfg.Addr, err), "addr", "write an address of this machine, such as localhost:3000")
	}
	return err
}

// conflictFlags are the flags behind what the engine calls the settings of its
// stream.
var conflictFlags = map[string]string{
	"Memory": "store", "Replicas": "replicas", "History": "history", "HistoryAge": "history-age", "HistoryBytes": "history-bytes",
}

// explainConflict names the flags whose values an existing log contradicts.
func explainConflict(e *eventlog.ConflictError) error {
	text := fmt.Sprintf("the log %s exists with other settings, and changing them would lose events:", e.Stream)
	for _, d := range e.Differences {
		name := d.Setting
		flag, ok := conflictFlags[d.Setting]
		if flag == "history-bytes" && e.Stream == eventlog.InboxStream {
			flag = "inbox-bytes"
		}
		if flag == "history-bytes" && e.Stream == eventlog.StepsStream {
			flag = "table-bytes"
		}
		if ok {
			name = fmt.Sprintf("--%s (%s)", flag, EnvName(flag))
		}
		text += fmt.Sprintf("\n  %s: the log has %s, wanted is %s", name, d.Have, d.Want)
	}
	return &hinted{text + "\n  start with the log's values, or change it first: nats stream edit " + e.Stream, e}
}

type hinted struct {
	text  string
	cause error
}

func (e *hinted) Error() string { return e.text }
func (e *hinted) Unwrap() error { return e.cause }

func hint(err error, flag, todo string) error {
	return &hinted{fmt.Sprintf("%s\n  set by --%s (%s): %s", strings.TrimPrefix(err.Error(), "embedded: "), flag, EnvName(flag), todo), err}
}
