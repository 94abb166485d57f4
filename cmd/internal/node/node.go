package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

const (
	// startTimeout bounds what New waits for NATS to answer.
	startTimeout = 30 * time.Second
	// natsTimeout is how long to wait for external NATS servers, natsRetry the
	// pause between two attempts.
	natsTimeout = 10 * time.Second
	natsRetry   = 200 * time.Millisecond
	// httpTimeout is how long requests in flight may take after the clients
	// have gone; then their connections are closed.
	httpTimeout = 5 * time.Second
	// engineTimeout is how long to wait for unacknowledged events; each is
	// retried for 15 s.
	engineTimeout = 16 * time.Second
)

// Node is one running server. Run may be called once, from any goroutine; the
// other methods at any time.
type Node struct {
	// fixed after New
	cfg      Config
	log      zerolog.Logger
	out      io.Writer
	nats     *embedded.Server // nil: an external NATS
	conn     rooms.Connector
	engine   *rooms.Engine
	who      *auth.Authenticator
	logins   interface{ Close() } // the connection to NATS of who
	revoked  atomic.Pointer[store.Revocations]
	hooks    atomic.Pointer[hooks.Hooks] // nil: no --hook
	asking   interface{ Close() }        // the connection to NATS of hooks
	keys     *auth.KeySet                // nil: no --jwks-url
	sessions *session.Manager
	manager  atomic.Pointer[session.Manager] // sessions, for the engine, which was there first
	listener net.Listener
	server   *http.Server
	visitors *visitors
	requests *prometheus.CounterVec
	files    fileShares
	limit    int64 // the runtime's limit of memory when it started; math.MaxInt64: none
	memory   budgets

	cert     *certificate // nil: no TLS
	profiles *aside       // nil: no --pprof
	metrics  *aside       // nil: no --metrics-addr

	hurried context.Context // ends with Close: a shutdown in progress stops waiting
	hurry   context.CancelFunc

	draining atomic.Bool
	stopping sync.Once
	stopErr  error // set under stopping
}

// New starts everything except serving requests: NATS, the engine, login,
// sessions, and the listener, in this order. ctx bounds that. An error names
// the flag to look at, and nothing is left running. out gets the lines for the
// user that Run prints first. The caller ends the node with Run or Close.
func New(ctx context.Context, cfg Config, log zerolog.Logger, out io.Writer) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: log, out: out, requests: newRequestCounter(), limit: debug.SetMemoryLimit(-1)}
	n.hurried, n.hurry = context.WithCancel(context.Background())
	n.memory = budgetsFor(n.limit, int64(cfg.Memory))
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, start := range []func(context.Context) error{n.startFiles, n.startTLS, n.startPProf, n.startNATS, n.startEngine, n.startLogin, n.startHooks, n.startSessions, n.startMetrics, n.startHTTP} {
		err := ctx.Err()
		if err == nil {
			err = start(ctx)
		}
		if err != nil {
			return nil, errors.Join(explain(err, cfg), n.stop(0))
		}
	}
	return n, nil
}

func (n *Node) startNATS(ctx context.Context) (err error) {
	if n.cfg.NATSURL != "" {
		n.conn = embedded.Remote{
			URL: n.cfg.NATSURL, Creds: n.cfg.NATSCreds, NKey: n.cfg.NATSNKey,
			TLSCert: n.cfg.NATSTLSCert, TLSKey: n.cfg.NATSTLSKey, TLSCA: n.cfg.NATSTLSCA, Log: n.log,
		}
		return n.awaitNATS(ctx)
	}
	n.nats, err = embedded.Start(embedded.Config{
		Addr: n.cfg.NATSAddr, PasswordFile: n.cfg.NATSPasswordFile(), StoreDir: n.cfg.StoreDir, Memory: n.cfg.InMemory(),
		Sync: n.cfg.Sync.Every, SyncAlways: n.cfg.Sync.Always, MaxConnections: n.files.nats, BufferBytes: n.memory.nats, Log: n.log,
	})
	n.conn = n.nats
	return err
}

// awaitNATS waits for servers that are starting at the same time as this node.
func (n *Node) awaitNATS(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	for told := false; ; told = true {
		nc, err := n.conn.Connect("roomd start")
		if err == nil {
			nc.Close()
			return nil
		}
		var refused *embedded.ConnectError
		if !errors.As(err, &refused) || !refused.Unreachable() {
			return err
		}
		if !told {
			n.log.Warn().Err(err).Stringer("for", natsTimeout).Msg("no NATS server answers yet; waiting for one")
		}
		select {
		case <-time.After(natsRetry):
		case <-ctx.Done():
			return err
		}
	}
}

func (n *Node) startEngine(ctx context.Context) (err error) {
	history, inboxes, tables := int64(n.cfg.HistoryBytes), int64(n.cfg.InboxBytes), int64(n.cfg.TableBytes)
	if n.cfg.InMemory() && n.nats != nil {
		history, inboxes, tables = logBytes(n.limit, history, inboxes, tables)
	}
	n.engine, err = rooms.New(ctx, n.conn, rooms.Config{
		Node: n.cfg.NodeName, Memory: n.cfg.InMemory(), Replicas: n.cfg.Replicas,
		History: n.cfg.History, HistoryAge: n.cfg.HistoryAge, HistoryBytes: history, InboxBytes: inboxes, TableHistory: n.cfg.TableHistory, TableBytes: tables, MaxTables: n.cfg.MaxTables,
		RingBytes: n.memory.rings, WaitingBytes: n.memory.waiting, CopyBytes: n.memory.copies, PublishBytes: n.memory.publish,
		PresenceInterval: n.cfg.PresenceInterval, PresenceGrace: n.cfg.PresenceGrace, HearAll: n.cfg.NATSURL == "", Feed: n.cfg.Feed, EndUser: n.endUser, Kicked: n.kicked, Log: n.log, Tables: n.tables(),
	})
	return err
}

func (n *Node) startLogin(ctx context.Context) error {
	nc, err := n.conn.Connect("roomd " + n.engine.Node() + " login")
	if err != nil {
		return err
	}
	n.logins = nc
	opts := &store.Options{Replicas: n.engine.Replicas(), Memory: n.cfg.InMemory()}
	n.who = &auth.Authenticator{}
	if n.who.Tickets, err = store.NewTickets(ctx, nc, opts); err != nil {
		return err
	}
	revoked, err := store.NewRevocations(ctx, nc, opts, n.log)
	if err != nil {
		return err
	}
	n.who.Revocations = revoked
	n.revoked.Store(revoked)
	if n.cfg.Guests() || n.cfg.AllowGuests == nil && n.cfg.asksLogin() { // then the hook says who is one
		if n.who.Guests, err = store.NewGuests(ctx, nc, opts); err != nil {
			return err
		}
		if n.who.Guests.Rooms, n.who.Guests.Speak, err = n.cfg.guestRights(); err != nil {
			return err
		}
	}
	return n.startVerifier(ctx)
}

func (n *Node) startSessions(context.Context) error {
	origins, err := auth.ParseOrigins(n.cfg.AllowOrigin)
	if err != nil {
		return err
	}
	var asked session.Hooks
	if h := n.hooks.Load(); h != nil {
		asked = h.Session()
	}
	n.sessions, err = session.NewManager(n.engine, n.who, session.Config{
		MaxMessage: int64(n.cfg.MaxMessage), Compress: n.cfg.Compress, Rate: n.cfg.Rate, Burst: n.cfg.Burst, Ping: n.cfg.Ping,
		QueueMessages: n.cfg.Queue, QueueBytes: int(n.cfg.QueueBytes), UnfinishedBytes: n.memory.messages,
		MaxConnections: n.maxConnections(), MaxConnectionsPerAddress: n.cfg.MaxConnectionsPerAddress,
		RateBytes: int(n.cfg.RateBytes), RoomBytes: int(n.cfg.RoomBytes), InboxRate: n.cfg.InboxRate,
		AddressConnectRate: n.cfg.ConnectRate, AddressLoginRate: n.cfg.LoginRate, Proxies: n.cfg.proxies(),
		MaxConnectionsPerUser: n.cfg.MaxConnectionsPerUser, MaxGuestRooms: n.cfg.MaxGuestRooms,
		Hooks: asked, Origins: origins, Log: n.log,
	})
	if err == nil {
		n.manager.Store(n.sessions)
		n.revoked.Load().OnRevoke(httpapi.CloseRevoked(n.sessions))
	}
	return err
}

// Run serves requests until ctx ends, then drains the clients over Config.Drain
// and stops everything. It returns nil after a clean shutdown, and an error
// otherwise, or if it had to stop by itself.
func (n *Node) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- n.server.Serve(n.listener) }()
	watching, stopWatching := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { n.watchMemory(watching) })
	watcher.Go(func() { n.watchClock(watching) })
	hangups := n.hangups() // before /readyz is true
	watcher.Go(func() { n.rereadOnHangup(watching, hangups) })
	defer watcher.Wait()
	defer stopWatching()
	n.greet()
	select {
	case <-ctx.Done():
		err := n.stop(n.cfg.Drain)
		<-served // http.ErrServerClosed, as it was just closed
		return err
	case err := <-served:
		return errors.Join(fmt.Errorf("serving HTTP on %s: %w", n.listener.Addr(), err), n.stop(0))
	}
}

// Close stops everything now; clients are told to reconnect. It cuts a shutdown
// by Run short, and does nothing after Run; it returns what Run returned.
func (n *Node) Close() error {
	n.hurry()
	return n.stop(0)
}

// stop ends what was started, in this order: readiness, clients, HTTP, engine,
// login, NATS. The listener stays open while clients leave, so that /readyz can
// say why and those who come are told to go elsewhere.
func (n *Node) stop(drain time.Duration) error {
	n.stopping.Do(func() {
		n.draining.Store(true)
		if n.sessions != nil {
			n.drain(drain)
		}
		n.stopErr = errors.Join(n.stopHTTP(), n.stopHooks(), n.stopEngine())
		if n.keys != nil {
			n.keys.Close()
		}
		if list := n.revoked.Load(); list != nil {
			list.Close()
		}
		if n.logins != nil {
			n.logins.Close()
		}
		if n.nats != nil {
			n.stopErr = errors.Join(n.stopErr, n.nats.Close())
		}
		n.stopErr = errors.Join(n.stopErr, n.metrics.stop(), n.profiles.stop())
	})
	return n.stopErr
}

func (n *Node) drain(limit time.Duration) {
	if n.listener == nil { // it did not even start
		n.sessions.Close()
		return
	}
	n.server.SetKeepAlivesEnabled(false) // so that a load balancer closes its connections
	ctx, cancel := context.WithTimeout(n.hurried, limit)
	defer cancel()
	n.awaitBalancer(ctx, n.cfg.drainDelay(limit))
	n.engine.LeaveTables(ctx)
	n.log.Info().Int("connections", n.sessions.Count()).Stringer("drain", limit).Msg("stopping: clients are told to reconnect")
	if err := n.sessions.Drain(ctx); err != nil && limit > 0 && n.hurried.Err() == nil {
		n.log.Warn().Err(err).Int("connections", n.sessions.Count()).Msg("the drain time is over; connections that are left are cut (--drain gives them more)")
	}
	n.sessions.Close()
}

// awaitBalancer waits, with /readyz false, for the next health check of a load
// balancer, which otherwise would send reconnecting clients back to this node.
func (n *Node) awaitBalancer(ctx context.Context, delay time.Duration) {
	if delay <= 0 {
		return
	}
	n.log.Info().Stringer("for", delay).Msg("stopping: /readyz is false; going on until load balancers have seen it (--drain-delay)")
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
}

func (n *Node) stopHTTP() error {
	if n.listener == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpTimeout)
	defer cancel()
	err := n.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		n.log.Warn().Stringer("after", httpTimeout).Msg("requests that did not end were cut")
		err = n.server.Close()
	}
	// Serve closes it, if Run was called.
	if closeErr := n.listener.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		err = errors.Join(err, closeErr)
	}
	if err != nil {
		return fmt.Errorf("stopping HTTP: %w", err)
	}
	return nil
}

func (n *Node) stopEngine() error {
	if n.engine == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	if err := n.engine.Close(ctx); err != nil {
		return fmt.Errorf("stopping the rooms: %w", err)
	}
	return nil
}

// Addr returns the address of the HTTP listener.
func (n *Node) Addr() net.Addr { return n.listener.Addr() }

// NATSURL returns the URL of the embedded NATS server; "" if there is none or
// it has no port.
func (n *Node) NATSURL() string {
	if n.nats == nil {
		return ""
	}
	return n.nats.URL()
}

// Sessions returns the session manager, for a program that adds types of events
// before Run.
func (n *Node) Sessions() *session.Manager { return n.sessions }
