package node

import (
	"maps"
	"net/http"
)

// baseHeaders are set on every response; a handler may replace them. (Invalid
// HTTP requests are answered by net/http itself: 400, 417, 431 and 505, with a
// line of plain text.)
var baseHeaders = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"no-referrer"}, // URLs contain tickets
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"}, // for responses that are opened in a browser
	"Cache-Control":                {"no-store"},
}

// hardened sets the base headers before next answers.
func hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), baseHeaders) // their lists are shared: Set and Add leave them as they are
		next.ServeHTTP(w, r)
	})
}
