package wire

import (
	"errors"
	"fmt"
	"reflect"
)

// Code is the machine-readable reason in an "error" event and in the body of
// an HTTP error.
type Code string

// The codes of README.md, and those that only HTTP answers use.
const (
	BadJSON      Code = "bad_json"
	BadType      Code = "bad_type"
	UnknownType  Code = "unknown_type"
	BadPayload   Code = "bad_payload"
	BadRoom      Code = "bad_room"
	NotMember    Code = "not_member"
	Forbidden    Code = "forbidden"
	RateLimited  Code = "rate_limited"
	TooManyRooms Code = "too_many_rooms"
	Busy         Code = "busy"
	Unavailable  Code = "unavailable"
	Internal     Code = "internal"
	Refused      Code = "refused" // by the rules of a table

	Unauthorized Code = "unauthorized"
	NotFound     Code = "not_found"
)

// EventCodes are the codes that an error event may have.
var EventCodes = [...]Code{
	BadJSON, BadType, UnknownType, BadPayload, BadRoom, NotMember, Forbidden, RateLimited, TooManyRooms, Busy, Unavailable, Internal, Refused,
}

// Retryable reports whether the same event may succeed when it is sent again
// unchanged.
func (c Code) Retryable() bool {
	switch c {
	case RateLimited, Busy, Unavailable, Internal:
		return true
	}
	return false
}

// Error is a failure that a client may see: a code for programs and one
// sentence for people. What is not an *Error is shown as Internal.
type Error struct {
	Code    Code
	Message string
}

// Error returns the code and the sentence.
func (e *Error) Error() string {
	if e == nil {
		return "no error: a nil *wire.Error"
	}
	return string(e.Code) + ": " + e.Message
}

// Errorf makes an *Error. The message is shown to clients: it must say what
// to do and carry no secret.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError returns the *Error in err's chain, and for any other error one of
// Internal with a sentence that gives nothing away; it is nil if, and only if,
// err is. The caller logs what is not Known.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e != nil:
		return e
	}
	return Errorf(Internal, "something went wrong on the server; try again")
}

// Known reports whether err has an *Error in its chain, so that AsError shows
// what it says.
func Known(err error) bool {
	var e *Error
	return errors.As(err, &e) && e != nil
}

// ErrorOrNil returns err, or nil if it is a nil pointer. A program's function
// that ends with "return check()", where check returns an *Error, returns an
// error that is not nil even if check found nothing. So it is called on what
// functions of a program return.
func ErrorOrNil(err error) error {
	if err != nil && isNilPointer(err) {
		return nil
	}
	return err
}

func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
