package hooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// warnInterval is the least time between two warnings in the log about a
	// hook that fails in the same way.
	warnInterval = 10 * time.Second
	// maxReason is the most characters of a refusal's message that are shown.
	maxReason = 500
)

// transport sends requests to the backend.
type transport interface {
	// send sends a request without waiting for the response, which receive
	// does, until ctx ends. Requests over NATS arrive in the order of the
	// calls.
	send(ctx context.Context, body []byte) (receive func() ([]byte, error))
}

// hook is one of the three hooks. Its methods may be called from any goroutine.
type hook struct {
	// fixed
	name      string
	transport transport
	refusal   wire.Code // of a refusal without a code
	failure   string    // message to the client when the call failed
	count     counters
	log       zerolog.Logger
	inFlight  chan struct{} // semaphore: one element per request in flight

	mu       sync.Mutex
	warnedAt [failureKinds]time.Time
}

// call sends a request. Its error, and that of receive, is a *wire.Error.
// receive blocks, and must be called.
func (h *hook) call(ctx context.Context, request any) (receive func(into response) error, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("hooks: encode the question of the %s hook: %w", h.name, err)
	}
	select {
	case h.inFlight <- struct{}{}:
	default:
		h.count.overloaded.Add(1)
		h.warn(overload, fmt.Errorf("%d questions are under way already", MaxInFlight))
		return nil, h.unavailable()
	}
	h.count.asked.Add(1)
	callCtx, cancel := context.WithTimeout(ctx, Timeout)
	receiveRaw := h.transport.send(callCtx, body)
	return func(into response) error {
		defer func() { <-h.inFlight }()
		defer cancel()
		text, err := receiveRaw()
		kind := kindOf(err)
		if err == nil {
			kind, err = garbage, decode(text, into)
		}
		if ctx.Err() != nil && err != nil { // the client has gone: no failure of the backend
			return h.unavailable()
		}
		if err != nil {
			h.count.failed.Add(1)
			h.warn(kind, err)
			return h.unavailable()
		}
		return h.refusalOf(into)
	}, nil
}

func (h *hook) unavailable() *wire.Error {
	return &wire.Error{Code: wire.Unavailable, Message: h.failure}
}

// failureKind is how a call failed. Each has its own place in the log, so that
// one that goes on for long does not hide another.
type failureKind int

const (
	overload failureKind = iota
	silence
	unreachable
	failedStatus
	garbage
	failureKinds
)

// errStatus is wrapped in the error of a backend that said that it failed.
var errStatus = errors.New("the backend failed")

// kindOf returns how a call failed to which no response came.
func kindOf(err error) failureKind {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errStatus):
		return failedStatus
	case errors.As(err, &timeout) && timeout.Timeout():
		return silence
	}
	return unreachable
}

// warn logs a failed call, at most once per warnInterval and kind.
func (h *hook) warn(kind failureKind, err error) {
	h.mu.Lock()
	now := time.Now()
	last := h.warnedAt[kind]
	recent := !last.IsZero() && now.Sub(last) < warnInterval
	if !recent {
		h.warnedAt[kind] = now
	}
	h.mu.Unlock()
	if !recent {
		h.log.Warn().Err(err).Str("hook", h.name).Int64("failed", h.count.failed.Load()).Int64("overloaded", h.count.overloaded.Load()).
			Msg("a hook did not decide; clients are told to try again (each kind of failure is logged once in 10 s)")
	}
}

// refusalOf returns the refusal in a response as an error for the client; nil
// if there is none.
func (h *hook) refusalOf(answer response) error {
	reason := answer.refusal()
	if reason == nil {
		return nil
	}
	h.count.refused.Add(1)
	code := h.refusal
	switch reason.Code {
	case wire.Unauthorized, wire.Forbidden, wire.RateLimited, wire.Busy, wire.Unavailable, wire.BadPayload:
		code = reason.Code
	}
	return &wire.Error{Code: code, Message: reason.Message}
}

// response is a response of the backend.
type response interface {
	refusal() *reason
	// validate returns what is wrong with a response that is no refusal.
	validate() error
}

// decode decodes and validates a response.
func decode(text []byte, into response) error {
	switch {
	case len(text) > MaxResponse:
		return fmt.Errorf("the answer is longer than %d bytes", MaxResponse)
	case len(text) == 0:
		return errors.New("the answer is empty")
	}
	if err := wire.UnmarshalExact(text, into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	if into.refusal() != nil {
		return nil
	}
	return into.validate()
}

// refusable is embedded in every response: each is a refusal if it has an
// error that is not null.
type refusable struct {
	Error *reason `json:"error"`
}

func (r *refusable) refusal() *reason { return r.Error }

// noReason is the message of a refusal that has none.
const noReason = "the service that decides here refused it, without a reason"

// reason is why the backend refuses: a string, or an object with a code and a
// message, all of which may be empty.
type reason struct {
	Code    wire.Code
	Message string
}

func (r *reason) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return r.trim(json.Unmarshal(data, &r.Message))
	}
	var object struct {
		Code    wire.Code `json:"code"`
		Message string    `json:"message"`
	}
	err := wire.UnmarshalExact(data, &object)
	r.Code, r.Message = object.Code, cmp.Or(object.Message, string(object.Code))
	return r.trim(err)
}

// trim makes the message one that can be shown.
func (r *reason) trim(err error) error {
	if r.Message = strings.TrimSpace(r.Message); utf8.RuneCountInString(r.Message) > maxReason {
		r.Message = string([]rune(r.Message)[:maxReason])
	}
	r.Message = cmp.Or(r.Message, noReason)
	return err
}
