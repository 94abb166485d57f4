package node

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// guardedMetrics serves /metrics on the address of the page, with the guard of
// the API. It responds 404 if other machines can connect and there is no key,
// or if the metrics have an address of their own.
func (n *Node) guardedMetrics() http.Handler {
	guard, shown := n.apiGuard(), http.Handler(nil)
	switch {
	case n.cfg.MetricsAddr != "":
		guard = func(*http.Request) error {
			return wire.Errorf(wire.NotFound, "the metrics have an address of their own (--metrics-addr)")
		}
	case n.cfg.APIKey == "" && !isLoopback(n.cfg.Addr):
		guard = func(*http.Request) error {
			return wire.Errorf(wire.NotFound, "there are no metrics here without an API key (ROOMD_API_KEY or --api-key-file); set one, or give them an address of their own (--metrics-addr)")
		}
	default:
		shown = n.metricsHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guard(r); err != nil {
			httpapi.WriteError(w, r, n.log, err)
			return
		}
		shown.ServeHTTP(w, r)
	})
}

// metricsHandler serves the metrics of this node's own registry.
func (n *Node) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(n.engine, n.sessions, n.visitors, n.who.Stats(), n.keyStats(), n.hookStats()),
		readyCollector{n},
		logCollector{n.engine},
		tableCollector{n.engine},
		n.requests,
	)
	if n.cert != nil {
		registry.MustRegister(n.cert.expiry())
	}
	shown := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			httpapi.WriteError(w, r, n.log, wire.Errorf(httpapi.MethodNotAllowed, "%s is not possible here; use GET, HEAD", r.Method))
			return
		}
		shown.ServeHTTP(w, r)
	})
}

var (
	connectionsDesc = prometheus.NewDesc("roomd_connections", "WebSocket connections that are open.", nil, nil)
	roomsDesc       = prometheus.NewDesc("roomd_rooms", "Rooms that are open on this node, inboxes not counted.", nil, nil)
	visitorsDesc    = prometheus.NewDesc("roomd_http_connections", "Connections that are HTTP, not upgraded yet or never.", nil, nil)
	ringsDesc       = prometheus.NewDesc("roomd_ring_bytes", "What all rooms together remember, in bytes.", nil, nil)
	copiesDesc      = prometheus.NewDesc("roomd_copy_bytes", "Live events that wait for their rooms, in bytes.", nil, nil)
	waitingDesc     = prometheus.NewDesc("roomd_waiting_bytes", "What waits to be written to clients, in bytes.", nil, nil)
	tablesDesc      = prometheus.NewDesc("roomd_tables_owned", "Tables that this node decides for.", nil, nil)
	membersDesc     = prometheus.NewDesc("roomd_members", "Sessions in those rooms; one in two rooms counts twice.", nil, nil)
	closedDesc      = prometheus.NewDesc("roomd_session_closed_total", "Connections that ended, by close code; 1005 stands for all codes without a name.", []string{"code", "reason"}, nil)
	errorsDesc      = prometheus.NewDesc("roomd_session_errors_total", "Error events sent to clients, by their code.", []string{"code"}, nil)
	buildDesc       = prometheus.NewDesc("roomd_build_info", "1, with what this program was built from.", []string{"version", "revision", "goversion"}, nil)
)

// collector collects the counters of the engine and the sessions. It is
// immutable.
type collector struct {
	engine   *rooms.Engine
	sessions *session.Manager
	visitors *visitors
	counters []counter
}

type counter struct {
	desc  *prometheus.Desc
	value *atomic.Int64
}

func newCollector(engine *rooms.Engine, sessions *session.Manager, visitors *visitors, logins *auth.Stats, keys *auth.KeyStats, asked *hooks.Stats) *collector {
	all := slices.Concat(counters("room", engine.Stats(), roomHelp), counters("table", engine.TableStats(), tableHelp), counters("session", sessions.Stats(), sessionHelp), counters("http", &visitors.stats, httpHelp),
		counters("login", logins, loginHelp), counters("jwks", keys, keysHelp), counters("hook", asked, hookHelp))
	return &collector{engine, sessions, visitors, all}
}

// counters are the atomic.Int64 fields of the struct that stats points to,
// named roomd_<subsystem>_<field>_total.
func counters(subsystem string, stats any, help map[string]string) []counter {
	var list []counter
	fields := reflect.ValueOf(stats).Elem()
	for i := range fields.NumField() {
		field := fields.Type().Field(i).Name
		if fields.Type().Field(i).Anonymous {
			list = append(list, counters(subsystem, fields.Field(i).Addr().Interface(), help)...)
			continue
		}
		value, ok := fields.Field(i).Addr().Interface().(*atomic.Int64)
		if !ok {
			continue
		}
		name := prometheus.BuildFQName("roomd", subsystem, snake(field)+"_total")
		list = append(list, counter{prometheus.NewDesc(name, help[field], nil, nil), value})
	}
	return list
}

// snake writes PublishRetries as publish_retries.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{connectionsDesc, visitorsDesc, roomsDesc, tablesDesc, membersDesc, ringsDesc, copiesDesc, waitingDesc, closedDesc, errorsDesc, buildDesc} {
		out <- desc
	}
	for _, counter := range c.counters {
		out <- counter.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	open, members := c.engine.RoomsHere(), int64(0)
	for _, room := range open {
		members += room.Sessions
	}
	gauge(connectionsDesc, float64(c.sessions.Count()))
	gauge(visitorsDesc, float64(c.visitors.count()))
	gauge(roomsDesc, float64(len(open)))
	gauge(tablesDesc, float64(c.engine.TablesOwned()))
	gauge(membersDesc, float64(members))
	gauge(ringsDesc, float64(c.engine.RingBytes()))
	gauge(copiesDesc, float64(c.engine.CopyBytes()))
	gauge(waitingDesc, float64(c.engine.QueuedBytes().Bytes()))
	for _, counter := range c.counters {
		out <- prometheus.MustNewConstMetric(counter.desc, prometheus.CounterValue, float64(counter.value.Load()))
	}
	c.sessions.Stats().Closed.Each(func(code wire.CloseCode, count int64) {
		out <- prometheus.MustNewConstMetric(closedDesc, prometheus.CounterValue, float64(count), strconv.Itoa(int(code)), code.String())
	})
	c.sessions.Stats().Errors.Each(func(code wire.Code, count int64) {
		out <- prometheus.MustNewConstMetric(errorsDesc, prometheus.CounterValue, float64(count), string(code))
	})
	build := cli.ReadBuild()
	out <- prometheus.MustNewConstMetric(buildDesc, prometheus.GaugeValue, 1, build.Module, build.Revision, build.Go)
}
