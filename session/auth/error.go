package auth

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

var (
	// ErrBadCredential is wrapped by every *Error that the client caused: its
	// credential is missing, malformed, wrong, expired or revoked.
	ErrBadCredential = errors.New("bad credential")
	// ErrUnavailable is wrapped by an *Error if a service that was needed, such
	// as NATS or the issuer of keys, could not be reached: the same credential
	// may work in a moment.
	ErrUnavailable = errors.New("login is unavailable")
)

// Error says why a request could not be authenticated. errors.Is tells
// ErrBadCredential from ErrUnavailable.
type Error struct {
	// Message is one sentence for people. It never contains the credential.
	Message string
	// Claimed is the uid in the refused credential, which is not verified; ""
	// if there is none, or none that is valid. It is for the log.
	Claimed string
	// Err is ErrBadCredential, or wraps ErrUnavailable and its cause, which is
	// for the log.
	Err error
}

// Error returns the message and, if login was unavailable, its cause.
func (e *Error) Error() string {
	if e == nil {
		return "auth: no error: a nil *auth.Error"
	}
	if errors.Is(e.Err, ErrUnavailable) {
		return fmt.Sprintf("auth: %s: %v", e.Message, e.Err)
	}
	return "auth: " + e.Message
}

// Unwrap returns Err.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Status returns the HTTP status to answer with: 401 or 503.
func (e *Error) Status() int {
	if errors.Is(e, ErrUnavailable) {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// Refused returns an *Error of ErrBadCredential with that Message.
func Refused(format string, args ...any) *Error { return refuse(format, args...) }

func refuse(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Err: ErrBadCredential}
}

// of returns a copy of the error with Claimed set, if uid is valid.
func (e *Error) of(uid string) *Error {
	if !wire.ValidUID(uid) {
		return e
	}
	claimed := *e
	claimed.Claimed = uid
	return &claimed
}

// Unavailable returns an *Error of ErrUnavailable; doing and cause are for the
// log.
func Unavailable(doing string, cause error) *Error {
	return &Error{
		Message: "logging in is not possible right now; try again in a moment",
		Err:     fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, cause),
	}
}
