package hooks

import (
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
	// complainEvery is the least time between two lines in the log about a hook
	// that fails.
	complainEvery = 10 * time.Second
	// maxReason is how many characters of a refusal's sentence are shown.
	maxReason = 500
)

// asker is a way to the backend.
type asker interface {
	// ask sends a question without waiting for the answer, which answer does,
	// until ctx ends. Questions over NATS arrive in the order in which they were
	// asked.
	ask(ctx context.Context, body []byte) (answer func() ([]byte, error))
}

// hook is one of the three. Its methods may be called from any goroutine.
type hook struct {
	// fixed
	name    string
	way     asker
	refusal wire.Code // of an error that names no other
	sorry   string    // what the client is told when nobody has decided
	count   counters
	log     zerolog.Logger
	asking  chan struct{} // one element per question under way

	mu         sync.Mutex
	complained time.Time
}

// ask sends a question. Its error, and that of answer, is a *wire.Error. answer
// waits, and must be called.
func (h *hook) ask(ctx context.Context, question any) (answer func(into reply) error, err error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("hooks: encode the question of the %s hook: %w", h.name, err)
	}
	select {
	case h.asking <- struct{}{}:
	default:
		h.count.overloaded.Add(1)
		h.complain(fmt.Errorf("%d questions are under way already", MaxAsking))
		return nil, h.undecided()
	}
	h.count.asked.Add(1)
	asked, cancel := context.WithTimeout(ctx, Timeout)
	await := h.way.ask(asked, body)
	return func(into reply) error {
		defer func() { <-h.asking }()
		defer cancel()
		text, err := await()
		if err == nil {
			err = read(text, into)
		}
		if ctx.Err() != nil && err != nil { // the client has gone: that says nothing of the backend
			return h.undecided()
		}
		if err != nil {
			h.count.failed.Add(1)
			h.complain(err)
			return h.undecided()
		}
		return h.refused(into)
	}, nil
}

func (h *hook) undecided() *wire.Error { return &wire.Error{Code: wire.Unavailable, Message: h.sorry} }

// complain logs that nobody has decided, now and then.
func (h *hook) complain(err error) {
	h.mu.Lock()
	now := time.Now()
	silent := !h.complained.IsZero() && now.Sub(h.complained) < complainEvery
	if !silent {
		h.complained = now
	}
	h.mu.Unlock()
	if !silent {
		h.log.Warn().Err(err).Str("hook", h.name).Int64("failed", h.count.failed.Load()).Int64("overloaded", h.count.overloaded.Load()).
			Msg("a hook did not decide; clients are told to try again (this is logged once in 10 s)")
	}
}

// refused is the error of an answer, for the client; nil: there is none.
func (h *hook) refused(answer reply) error {
	problem := answer.problem()
	if problem == nil {
		return nil
	}
	h.count.refused.Add(1)
	code := h.refusal
	switch problem.Code {
	case wire.Unauthorized, wire.Forbidden, wire.RateLimited, wire.Busy, wire.Unavailable, wire.BadPayload:
		code = problem.Code
	}
	return &wire.Error{Code: code, Message: problem.Message}
}

// reply is an answer of the backend.
type reply interface {
	problem() *reason
	// check says what is wrong with an answer without a reason.
	check() error
}

// read reads an answer.
func read(text []byte, into reply) error {
	switch {
	case len(text) > MaxAnswer:
		return fmt.Errorf("the answer is longer than %d bytes", MaxAnswer)
	case len(text) == 0:
		return errors.New("the answer is empty")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	if into.problem() != nil {
		return nil
	}
	return into.check()
}

// refusable is what every answer may say instead of a yes.
type refusable struct {
	Error *reason `json:"error"`
}

func (r *refusable) problem() *reason {
	if r.Error == nil || r.Error.Message == "" {
		return nil
	}
	return r.Error
}

// reason is why the backend refuses: a sentence, or an object with one and a
// code.
type reason struct {
	Code    wire.Code
	Message string
}

func (r *reason) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return r.say(json.Unmarshal(data, &r.Message))
	}
	var object struct {
		Code    wire.Code `json:"code"`
		Message string    `json:"message"`
	}
	err := json.Unmarshal(data, &object)
	r.Code, r.Message = object.Code, object.Message
	if err == nil && r.Message == "" && r.Code != "" {
		r.Message = string(r.Code)
	}
	return r.say(err)
}

// say makes the sentence one that can be shown.
func (r *reason) say(err error) error {
	if r.Message = strings.TrimSpace(r.Message); utf8.RuneCountInString(r.Message) > maxReason {
		r.Message = string([]rune(r.Message)[:maxReason])
	}
	return err
}
