package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Codes of HTTP answers for which events have no use.
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
	wire.RateLimited:  http.StatusTooManyRequests,
	wire.Busy:         http.StatusServiceUnavailable,
	wire.Unavailable:  http.StatusServiceUnavailable,
	wire.Internal:     http.StatusInternalServerError,
}

// statusOf is the status of an error; what is not listed is the client's mistake.
func statusOf(code wire.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// Action answers one request with a body, which becomes JSON, or an error, which
// becomes {"error":…} with the status of its code; see WriteError.
type Action func(r *http.Request) (any, error)

// Methods are the actions of one path. GET answers HEAD too.
type Methods map[string]Action

// Endpoint serves them; guard, if not nil, decides first.
func Endpoint(log zerolog.Logger, guard Guard, on Methods) http.Handler {
	allow := ""
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if on[m] != nil || m == http.MethodHead && on[http.MethodGet] != nil {
			allow += ", " + m
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guard != nil {
			if err := guard(r); err != nil {
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
		body, err := act(r)
		if err != nil {
			WriteError(w, r, log, err)
			return
		}
		WriteJSON(w, http.StatusOK, body)
	})
}

// WriteError answers with an error as everywhere in rooms/wire/README.md. One
// that is no *wire.Error is logged and shown as internal.
func WriteError(w http.ResponseWriter, r *http.Request, log zerolog.Logger, err error) {
	shown := wire.AsError(err)
	if shown.Code == wire.Internal {
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

// WriteJSON answers with a body, which must be one that JSON can encode.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(fmt.Sprintf("httpapi: an answer cannot be encoded: %v", err)) // the caller's own types
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(buf.Bytes()) // an error means that the client is gone
}

// readJSON reads a body of at most limit bytes, which must call itself JSON: a form of a foreign page cannot do that.
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
