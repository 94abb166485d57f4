package embedded

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// ErrClosed is returned by Connect after Close.
var ErrClosed = errors.New("the embedded NATS server is closed")

// AddrInUseError says that another process, or another server of this one,
// listens on Config.Addr.
type AddrInUseError struct {
	Addr string // as configured
}

func (e *AddrInUseError) Error() string {
	return fmt.Sprintf("embedded: cannot listen for NATS clients on %s: the address is in use", e.Addr)
}

// AddrError says that Config.Addr is malformed or cannot be listened on for a
// reason other than being in use.
type AddrError struct {
	Addr string // as configured
	Err  error
}

func (e *AddrError) Error() string {
	return fmt.Sprintf("embedded: cannot listen for NATS clients on %q: %v", e.Addr, e.Err)
}

func (e *AddrError) Unwrap() error { return e.Err }

// StoreLockedError says that a live process holds Config.StoreDir. A process
// that died, however it died, holds nothing.
type StoreLockedError struct {
	Dir string // as configured
	PID int    // of the holder; 0 when it is not known
}

func (e *StoreLockedError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("embedded: the store directory %s is in use by %s", e.Dir, holder)
}

// StoreError says that Config.StoreDir cannot be used: not given, not a
// directory, not writable, or not readable as a store.
type StoreError struct {
	Dir string // as configured; "" when not given
	Err error

	todo string // see Todo; "": what follows from Err
}

func (e *StoreError) Error() string {
	return fmt.Sprintf("embedded: cannot use the store directory %q: %v", e.Dir, e.Err)
}

func (e *StoreError) Unwrap() error { return e.Err }

// PasswordError says that Config.PasswordFile cannot be used: not readable, not
// writable, readable by others, or no password.
type PasswordError struct {
	File string // as configured
	Err  error
}

func (e *PasswordError) Error() string {
	return fmt.Sprintf("embedded: cannot use the file %q with the password of NATS: %v", e.File, e.Err)
}

func (e *PasswordError) Unwrap() error { return e.Err }

// ConnectError says why a first connection to an external NATS failed.
type ConnectError struct {
	URL string // as configured, without passwords and tokens
	Err error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("embedded: cannot connect to NATS at %s: %v%s", e.URL, e.Err, connectHint(e.Err))
}

func (e *ConnectError) Unwrap() error { return e.Err }

// Unreachable reports whether no server answered at all, perhaps because they
// are just starting. Any other error was a server's answer, and trying again
// will not help.
func (e *ConnectError) Unreachable() bool { return errors.Is(e.Err, nats.ErrNoServers) }
