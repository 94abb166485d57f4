package node

import (
	"context"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/node/web"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// Limits of one HTTP request; beyond the times the connection is closed, beyond
// the size the response is 431. WebSockets are under the limits of package
// session instead.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute // a publish may wait 15 s for the log
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10 // a token of 8 KiB may be in a header and in the URL
)

// startHTTP opens the listener; Run serves it.
func (n *Node) startHTTP(context.Context) error {
	handler := n.handler()
	if n.cert != nil {
		handler = strict(handler)
	}
	n.server = n.newServer(counted(handler, n.requests))
	n.visitors.attach(n.server)
	listener, err := net.Listen("tcp", n.cfg.Addr)
	if err != nil {
		return &listenError{err}
	}
	n.listener = n.secured(n.door(listener))
	return nil
}

// door returns the listener for clients.
func (n *Node) door(listener net.Listener) net.Listener {
	d := door{Listener: listener, visitors: n.visitors}
	if n.cert != nil {
		d.admit = n.sessions.AdmitHandshake
	}
	return d
}

// newServer answers with handler, within the bounds above.
func (n *Node) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           hardened(n.recovering(handler)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Its answer to OPTIONS * would lack our headers.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(serverLog{n.log}, "", 0),
	}
}

// handler is everything that is answered over HTTP.
func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", n.onlyOurNames(n.pageHandler()))
	mux.Handle("/ws", n.onlyOurNames(n.sessions))
	mux.Handle("/login", n.onlyOurNames(n.loginHandler()))
	mux.Handle("/api/", httpapi.NewAPI(n.engine, httpapi.APIOptions{Guard: n.apiGuard(), EndUser: n.endUser, Log: n.log}))
	mux.Handle("/healthz", httpapi.Endpoint(n.log, nil, httpapi.Methods{http.MethodGet: n.health}))
	mux.Handle("/readyz", http.HandlerFunc(n.ready))
	mux.Handle("/metrics", n.guardedMetrics())
	return mux
}

// pageHandler serves the demo page.
func (n *Node) pageHandler() http.Handler {
	hosts, err := web.ParseImageHosts(n.cfg.ImageHost)
	if err != nil {
		panic("node: --image-host was not validated: " + err.Error())
	}
	return web.Handler(hosts)
}

// recovering responds to a panic of a handler with 500 and logs it with its
// stack.
func (n *Node) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: // intended: the connection is to be closed
				panic(p)
			default:
				n.log.Error().Interface("panic", p).Str("method", r.Method).Str("path", r.URL.Path).Bytes("stack", debug.Stack()).
					Msg("a request's handler panicked")
				httpapi.WriteError(w, r, zerolog.Nop(), wire.AsError(fmt.Errorf("panic: %v", p)))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// serverLog gets the errors of net/http: mostly clients that disconnect.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.Debug().Bytes("report", line).Msg("HTTP server")
	return len(line), nil
}
