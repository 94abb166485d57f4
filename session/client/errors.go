package client

import (
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Errors of a request, besides the *wire.Error of the server, the error of its
// context, and Err of the Client if it has ended. Use errors.Is: one error may
// wrap several.
var (
	ErrClosed       = errors.New("client: closed")
	ErrOutboxFull   = errors.New("client: too many requests wait for an answer; wait for some, or raise Config.Outbox")
	ErrTooBig       = errors.New("client: the event is longer than the server takes; shorten it, or raise Config.MaxSend and the server's --max-message")
	ErrSameID       = errors.New("client: a request with the same id still waits for its answer")
	ErrNotConnected = errors.New("client: not connected, and signals are not kept")

	// ErrOutcomeUnknown is wrapped by the error of an event that was written,
	// may be stored, and will not be sent again: because it is too late (see
	// ResendFor), because the uid has changed, because its context or the
	// Client has ended, or because the server refused it when it was sent
	// again (not so the rules of a table: wire.Refused is their decision on
	// every copy). An error that does not wrap it means that the event is not stored;
	// except wire.Unavailable.
	ErrOutcomeUnknown = errors.New("client: the event may be stored or not; look in the room's history (get_history) before you send it again")
)

// RefusedError is a connect that the server refused with an HTTP status.
type RefusedError struct {
	Status  int
	Code    wire.Code // "" if the response was not a room server's
	Message string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused with HTTP %d: %s", e.Status, e.Message)
}

// final reports whether the same connect would be refused again.
func (e *RefusedError) final() bool { return e.Status == 400 || e.Status == 401 || e.Status == 403 }

// ClosedError is a connection that the server closed with a close frame.
type ClosedError struct {
	Code   wire.CloseCode
	Reason string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("closed by the server with %d: %s", uint16(e.Code), e.Reason)
}

// finalError is an error after which the Client does not reconnect.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// isFinal reports whether there is no point in reconnecting after err.
func isFinal(err error) bool {
	var final finalError
	var refused *RefusedError
	var closed *ClosedError
	switch {
	case errors.As(err, &final):
		return true
	case errors.As(err, &refused):
		return refused.final()
	case errors.As(err, &closed):
		return !closed.Code.Reconnect()
	}
	return false
}
