package client

import (
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What a request can fail with, besides the *wire.Error of the server, the
// error of its own context, and Err of the Client when it ended meanwhile.
// Use errors.Is: more than one may be in the same error.
var (
	ErrClosed       = errors.New("client: closed")
	ErrOutboxFull   = errors.New("client: too many requests wait for an answer; wait for some, or raise Config.Outbox")
	ErrTooBig       = errors.New("client: the event is longer than the server takes; shorten it, or raise Config.MaxSend and the server's --max-message")
	ErrSameID       = errors.New("client: a request with the same id still waits for its answer")
	ErrNotConnected = errors.New("client: not connected, and signals are not kept")

	// ErrOutcomeUnknown is part of the error of an event that was written and
	// not answered, and will not be sent again: because it is too late (see
	// ResendFor), because we came back under another uid, because its context
	// or the Client ended, or because the server refused it when it was sent
	// again. Without it, such an error means that the event is not stored; but
	// see wire.Unavailable.
	ErrOutcomeUnknown = errors.New("client: the event may be stored or not; look in the room's history (get_history) before you send it again")
)

// RefusedError is a connect that the server answered with an HTTP status
// instead of a WebSocket.
type RefusedError struct {
	Status  int
	Code    wire.Code // "" when the answer was not the server's own
	Message string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused with HTTP %d: %s", e.Status, e.Message)
}

// final reports whether the same connect would be refused again.
func (e *RefusedError) final() bool { return e.Status == 400 || e.Status == 401 || e.Status == 403 }

// ClosedError is a connection that the server closed.
type ClosedError struct {
	Code   wire.CloseCode
	Reason string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("closed by the server with %d: %s", uint16(e.Code), e.Reason)
}

// finalError ends the Client.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// isFinal reports whether connecting again makes no sense after err.
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
