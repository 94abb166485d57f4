package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Error codes that only HTTP responses have.
const (
	MethodNotAllowed wire.Code = "method_not_allowed"
	codeMedia        wire.Code = "unsupported_media_type"
	codeBig          wire.Code = "too_big"
)

var statuses = map[wire.Code]int{
	wire.Unauthorized: http.StatusUnauthorized,
	wire.Forbidden:    http.StatusForbidden,
	wire.NotMember:    http.StatusForbidden,
	wire.NotFound:     http.StatusNotFound,
	MethodNotAllowed:  http.StatusMethodNotAllowed,
	codeMedia:         http.StatusUnsupportedMediaType,
	codeBig:           http.StatusRequestEntityTooLarge,
	wire.Refused:      http.StatusConflict,
	wire.RateLimited:  http.StatusTooManyRequests,
	wire.Busy:         http.StatusServiceUnavailable,
	wire.Unavailable:  http.StatusServiceUnavailable,
	wire.Internal:     http.StatusInternalServerError,
}

// statusOf returns the HTTP status of an error; codes that are not listed are
// the client's mistakes.
func statusOf(code wire.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// Action handles one request. It returns a body, which is encoded as JSON, or
// an error, which becomes {"error":…} with the status of its code; see
// WriteError. It is called on the request's goroutine.
type Action func(r *http.Request) (any, error)

// Methods are the actions of one path by HTTP method. That of GET also handles
// HEAD.
type Methods map[string]Action

// Endpoint returns a handler that calls the action for the request's method,
// after guard, unless that is nil, has let the request in.
func Endpoint(log zerolog.Logger, guard Guard, on Methods) http.Handler {
	allow := ""
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if on[m] != nil || m == http.MethodHead && on[http.MethodGet] != nil {
			allow += ", " + m
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guard != nil {
			if err := wire.ErrorOrNil(guard(r)); err != nil {
				WriteError(w, r, log, err)
				return
			}
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		act := on[method]
		if act == nil {
			w.Header().Set("Allow", allow[2:])
			WriteError(w, r, log, wire.Errorf(MethodNotAllowed, "%s is not possible here; use %s", r.Method, allow[2:]))
			return
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // else what is malformed, such as a filter, would be ignored
			WriteError(w, r, log, wire.Errorf(wire.BadPayload, "the query of the URL is malformed; escape what it contains, also a semicolon"))
			return
		}
		body, err := act(r)
		if err = wire.ErrorOrNil(err); err != nil {
			WriteError(w, r, log, err)
			return
		}
		WriteJSON(w, http.StatusOK, body)
	})
}

// WriteError responds with an error in the form of rooms/wire/README.md. One
// that is no *wire.Error is logged and shown as internal.
func WriteError(w http.ResponseWriter, r *http.Request, log zerolog.Logger, err error) {
	shown := wire.AsError(err)
	if !wire.Known(err) {
		log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("a request failed")
	}
	status := statusOf(shown.Code)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if w.Header().Get("Retry-After") == "" {
			w.Header().Set("Retry-After", "1")
		}
	}
	WriteJSON(w, status, map[string]any{"error": wire.ErrorInfo{Code: shown.Code, Message: shown.Message, Retryable: shown.Code.Retryable()}})
}

// WriteJSON responds with body as JSON. It panics if body cannot be encoded.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(fmt.Sprintf("httpapi: an answer cannot be encoded: %v", err)) // a mistake in the caller's types
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(buf.Bytes()) // an error means that the client is gone
}

// readJSON reads a body of at most limit bytes, whose Content-Type must be
// JSON: a form on a page of another origin cannot send that.
func readJSON(r *http.Request, limit int64) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, wire.Errorf(codeMedia, "send the body with Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, wire.Errorf(codeBig, "the body is longer than %d bytes; shorten it", limit)
	case err != nil:
		return nil, wire.Errorf(wire.BadPayload, "the body could not be read to its end; send it again")
	}
	return body, nil
}
