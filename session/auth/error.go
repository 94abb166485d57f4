package auth

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

var (
	// ErrBadCredential is what every *Error is that the client caused: its credential is missing, malformed, wrong or expired.
	ErrBadCredential = errors.New("bad credential")
	// ErrUnavailable is what an *Error is when what it needs could not be asked: the same credential may work in a moment.
	ErrUnavailable = errors.New("login is unavailable")
)

// Error is why nobody was identified. errors.Is tells ErrBadCredential from ErrUnavailable.
type Error struct {
	// Message is one sentence for people. It never contains the credential.
	Message string
	// Claimed is the uid that the refused credential is for by its own account, which may be anybody's; "" if it names none, or
	// what can be no uid. It is for the log.
	Claimed string
	// Err is ErrBadCredential, or wraps ErrUnavailable and its cause, which is for the log.
	Err error
}

func (e *Error) Error() string {
	if errors.Is(e.Err, ErrUnavailable) {
		return fmt.Sprintf("auth: %s: %v", e.Message, e.Err)
	}
	return "auth: " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Status is the HTTP status to answer with: 401 or 503.
func (e *Error) Status() int {
	if errors.Is(e.Err, ErrUnavailable) {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// Refused is an *Error of ErrBadCredential with that Message.
func Refused(format string, args ...any) *Error { return refuse(format, args...) }

func refuse(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Err: ErrBadCredential}
}

// of is the error with Claimed.
func (e *Error) of(uid string) *Error {
	if !wire.ValidUID(uid) {
		return e
	}
	claimed := *e
	claimed.Claimed = uid
	return &claimed
}

// Unavailable is an *Error of ErrUnavailable: doing and cause are for the log.
func Unavailable(doing string, cause error) *Error {
	return &Error{
		Message: "logging in is not possible right now; try again in a moment",
		Err:     fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, cause),
	}
}
