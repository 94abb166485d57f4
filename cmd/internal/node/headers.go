package node

import (
	"maps"
	"net/http"
)

// baseHeaders are on every answer that this program gives; a handler may replace one. (What is no HTTP request at all
// is answered by net/http before it comes here: 400, 417, 431 and 505, as a line of plain text of its own.)
var baseHeaders = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"no-referrer"}, // addresses hold tickets
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"}, // for who opens an answer in a browser
	"Cache-Control":                {"no-store"},
}

// hardened sets the base headers before next answers.
func hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), baseHeaders) // their lists are shared: Set and Add leave them as they are
		next.ServeHTTP(w, r)
	})
}
