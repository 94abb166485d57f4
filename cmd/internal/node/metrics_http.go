package node

import (
	"bufio"
	"net"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// newRequestCounter returns a counter of requests by route pattern, never by
// path, of which clients can make up any number.
func newRequestCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roomd_http_requests_total",
		Help: "HTTP requests that were answered, by route and status; 101 are those that became WebSockets.",
	}, []string{"route", "status"})
}

// counted counts the requests that next answers, those with a panic not among
// them. next must hand on the request that it gets, not a copy, to its
// ServeMux.
func counted(next http.Handler, requests *prometheus.CounterVec) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		route := r.Pattern
		if route == "" {
			route = "none" // OPTIONS *, and what the mux does not take
		}
		requests.WithLabelValues(route, strconv.Itoa(seen.status)).Inc()
	})
}

// statusWriter records the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= http.StatusOK { // else others follow
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack is called for a connection that becomes a WebSocket.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, buffers, err
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
