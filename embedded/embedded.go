// Package embedded runs a NATS server with JetStream inside the process, and
// connects to an external one with the same options.
//
// A program starts a [Server] for development and single-machine use, or
// describes an external cluster with a [Remote]; both hand out *nats.Conn, so
// the rest of the program need not know which it is:
//
//	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:4222", StoreDir: ".roomd", Log: log})
//	nc, err := srv.Connect("engine")
//
// No other package imports nats-server. It logs to the logger it is given and
// never ends the process: a failed start is an error whose type says which
// setting to look at ([AddrInUseError], [AddrError], [StoreLockedError],
// [StoreError], [PasswordError]).
package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

const (
	// InProcessOnly as Config.Addr opens no TCP port: only Connect reaches the
	// server.
	InProcessOnly = "-"
	// DefaultSync is how often JetStream syncs its files to disk when
	// Config.Sync is 0.
	DefaultSync = 2 * time.Minute
	// DefaultBufferBytes is Config.BufferBytes when that is 0.
	DefaultBufferBytes = 32 << 20
	// MaxPayload is the largest message the server takes, in bytes. A publisher
	// of a larger one is disconnected by the server.
	MaxPayload = 1 << 20

	// maxStore is larger than any disk, so it is no limit, in bytes.
	maxStore = 1 << 50

	// serverName is the server's name as NATS clients see it. An embedded server
	// is never part of a cluster, where names must be unique.
	serverName = "roomd"
	// readyTimeout bounds the wait for readiness after the server has started,
	// which includes reading the store.
	readyTimeout = 10 * time.Second
	// requestsTimeout bounds the wait for requests to JetStream when the server
	// stops: clients of other processes may never cease to ask.
	requestsTimeout = 2 * time.Second
)

// Config is the configuration of a Server. Start copies it.
type Config struct {
	// Addr is the host:port for NATS clients over TCP; port 0 takes any free
	// port (see Server.URL). InProcessOnly ("-") opens no port. Required. Any
	// address but a loopback one needs a PasswordFile.
	Addr string

	// PasswordFile is the file with the password that every client over TCP
	// must give, with the user name UserName. If it is missing it is created
	// with a random password and mode 0600, and used again after a restart, even
	// with Memory. A file that others may read is refused (PasswordError). "":
	// no password, and whoever can connect may read and write everything.
	PasswordFile string

	// StoreDir is the JetStream directory. It is created (0700) when missing
	// and locked while the server runs. Required unless Memory is set, and not
	// read when it is.
	StoreDir string

	// Memory keeps nothing after Close: what JetStream writes in spite of it goes
	// to a temporary directory that Close removes.
	Memory bool

	// Sync is how often JetStream syncs to disk. Up to that much may be lost in a
	// power cut, but not when only the process dies. 0: DefaultSync.
	Sync time.Duration

	// SyncAlways syncs every message before it is acknowledged; about 30 times
	// slower.
	SyncAlways bool

	// MaxConnections of clients, this process's own included; one more is
	// refused. 0: the server's own default.
	MaxConnections int

	// BufferBytes bounds the messages of each stream that are received and not
	// stored yet: beyond it a publish is refused, or lost if it asks for no ack.
	// Twice as much may be pending for one NATS client before it is disconnected
	// as a slow consumer. 0: DefaultBufferBytes.
	BufferBytes int64

	// Log receives the server's own log, with its notices at debug level, and the
	// connection events of Connect. The zero Logger discards them.
	Log zerolog.Logger
}

func (c *Config) validate() error {
	if c.StoreDir == "" && !c.Memory {
		return &StoreError{Err: errors.New("no directory given")}
	}
	if c.Sync < 0 {
		return fmt.Errorf("embedded: sync interval %v is negative", c.Sync)
	}
	return nil
}

// options translates the Config for nats-server; dir is where JetStream writes.
func (c *Config) options(dir string) (*server.Options, error) {
	opts := &server.Options{
		ServerName:             serverName,
		NoSigs:                 true, // the program owns SIGINT and SIGTERM
		NoLog:                  true, // serverLog is installed with SetLoggerV2
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               dir,
		SyncInterval:           c.Sync,
		SyncAlways:             c.SyncAlways,
		MaxPayload:             MaxPayload,
		JetStreamMaxMemory:     1 << 40, // no limit, as for JetStreamMaxStore; the default depends on GOMEMLIMIT
		StreamMaxBufferedSize:  cmp.Or(c.BufferBytes, DefaultBufferBytes),
		MaxPending:             2 * cmp.Or(c.BufferBytes, DefaultBufferBytes),
		MaxConn:                c.MaxConnections,
		// The streams have limits of their own. JetStream's default would be
		// three quarters of the disk space that is free at the start, even if
		// more becomes free later.
		JetStreamMaxStore: maxStore,
	}
	if opts.SyncInterval == 0 {
		opts.SyncInterval = DefaultSync
	}
	if c.Addr == InProcessOnly {
		opts.DontListen = true
		return opts, nil
	}
	host, port, err := splitAddr(c.Addr)
	if err != nil {
		return nil, &AddrError{Addr: c.Addr, Err: err}
	}
	opts.Host, opts.Port = host, port
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, c.secure(opts)
}

// secure makes the server ask for the password.
func (c *Config) secure(opts *server.Options) error {
	if c.PasswordFile == "" {
		if !loopback(opts.Host) {
			return &AddrError{Addr: c.Addr, Err: errors.New("other machines can reach it, and no file for a password is given")}
		}
		return nil
	}
	secret, err := password(c.PasswordFile)
	if err != nil {
		return err
	}
	opts.CustomClientAuthentication = passwordAuth{[]byte(secret)}
	return nil
}

// loopback reports whether host can be reached from this machine only. A name
// other than localhost could be any address.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func splitAddr(addr string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, errors.New(`it must be host:port, or "-" for none`)
	}
	port, err = strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", portText)
	}
	if host == "" {
		return "", 0, errors.New("the host is missing; 0.0.0.0 listens on every interface")
	}
	return host, port, nil
}

// Server is a running NATS server. Its methods may be called from any
// goroutine.
type Server struct {
	// fixed after start
	ns        *server.Server
	lock      *storeLock // nil with Memory
	temp      string     // directory to remove on Close; "" without Memory
	url       string
	auth      []nats.Option // credentials of this process's own connections over TCP
	log       zerolog.Logger
	close     func() error
	stopWatch context.CancelFunc // stops the healer

	health   atomic.Pointer[error] // nil: healthy
	restarts atomic.Int64
	watcher  sync.WaitGroup

	// guarded by mu
	mu     sync.Mutex
	conns  []connection // handed out by Connect; closed ones are pruned by the next Connect
	closed bool
}

// connection is one of this process's own.
type connection struct {
	*nats.Conn
	id uint64 // the server's for it, of the first connect
}

// Start starts a server and returns when it accepts connections and JetStream
// requests. Reading a large store has no time limit. After an error nothing is
// left running and the store is unlocked.
func Start(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{log: cfg.Log, stopWatch: func() {}}
	s.close = sync.OnceValue(s.stop)
	dir := cfg.StoreDir
	var err error
	if cfg.Memory {
		if dir, err = os.MkdirTemp("", "roomd-nats-"); err != nil {
			return nil, &StoreError{Dir: os.TempDir(), Err: err}
		}
		s.temp = dir
	} else if s.lock, err = lockStore(dir); err == nil {
		err = scanStore(dir)
	}
	if err == nil {
		err = s.run(&cfg, dir)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) run(cfg *Config, dir string) error {
	opts, err := cfg.options(dir)
	if err != nil {
		return err
	}
	if s.ns, err = server.NewServer(opts); err != nil {
		return fmt.Errorf("embedded: configure the NATS server: %w", err)
	}
	log := &serverLog{log: cfg.Log}
	s.ns.SetLoggerV2(log, false, false, false)
	s.ns.Start()
	// nats-server reports a failed start only through Fatalf of its logger, and
	// then returns from Start as if all were well.
	if err := log.startError(cfg.Addr, dir); err != nil {
		return err
	}
	if !s.ns.ReadyForConnections(readyTimeout) {
		return fmt.Errorf("embedded: the NATS server was not ready within %v", readyTimeout)
	}
	if !opts.DontListen {
		s.url = "nats://" + dialAddr(s.ns.Addr())
	}
	if s.temp == "" {
		if err := errors.Join(s.damagedStream(dir, log), sweepProbes(dir)); err != nil {
			return err
		}
		s.logMissingBlocks(dir, log)
		ctx, cancel := context.WithCancel(context.Background())
		s.stopWatch = cancel
		s.watcher.Go(func() { (&healer{s: s, opts: opts, dir: dir}).watch(ctx, healthInterval) })
	}
	if g, ok := opts.CustomClientAuthentication.(passwordAuth); ok {
		s.auth = []nats.Option{nats.UserInfo(UserName, string(g.password))}
	}
	return nil
}

// dialAddr returns the address at which a client on this machine reaches a
// listener: loopback if it listens on all interfaces.
func dialAddr(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}

// URL returns where clients on this machine reach the server over TCP, such as
// nats://127.0.0.1:4222; "" when it is in-process only. It holds no password.
func (s *Server) URL() string { return s.url }

// Secured reports whether clients over TCP must give the password.
func (s *Server) Secured() bool { return s.auth != nil }

// Connect returns a connection named name: over TCP when the server listens,
// else in process. A TCP socket takes a large write at once, where the pipe of
// an in-process connection passes it on in small pieces with a goroutine switch
// for each: a busy node uses a quarter less CPU with the socket. The connection
// has the options of this package (see [Remote.Connect]); opts are applied
// after them. Close closes it unless the caller did.
func (s *Server) Connect(name string, opts ...nats.Option) (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("embedded: connect %q: %w", name, ErrClosed)
	}
	all := append(commonOptions(name, s.log), s.auth...)
	if s.url == "" {
		all = append(all, nats.InProcessServer(s.ns))
	}
	nc, err := nats.Connect(s.url, append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: connect %q: %w", name, err)
	}
	open := s.conns[:0]
	for _, c := range s.conns {
		if !c.IsClosed() {
			open = append(open, c)
		}
	}
	clear(s.conns[len(open):])
	id, err := nc.GetClientID()
	if err != nil { // it was lost already, and reconnects
		s.log.Debug().Err(err).Str("connection", name).Msg("the NATS connection has no id")
	}
	s.conns = append(open, connection{nc, id})
	return nc, nil
}

// Close closes the connections that Connect returned, stops the server, waits
// until it has stopped and unlocks the store. Everything that was acknowledged
// is on disk then. Drain connections with work in flight first. Further calls,
// even concurrent ones, wait for the first and return its result.
func (s *Server) Close() error { return s.close() }

// awaitRequests waits until the server has done what those connections asked of
// it, at most requestsTimeout. nats-server stops JetStream without waiting for
// requests under way: a stream that is created meanwhile would stay open behind
// it, with its files and goroutines.
func (s *Server) awaitRequests(conns []connection) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(requestsTimeout)
	defer timeout.Stop()
	for s.busy(conns) {
		select {
		case <-tick.C:
		case <-timeout.C:
			s.log.Warn().Stringer("after", requestsTimeout).Msg("JetStream still had requests under way when the NATS server was stopped")
			return
		}
	}
}

// busy reports whether the server still reads one of those connections, or has
// requests to JetStream under way.
func (s *Server) busy(conns []connection) bool {
	for _, nc := range conns {
		if s.ns.GetClient(nc.id) != nil {
			return true
		}
	}
	info, err := s.ns.Jsz(nil)
	return err == nil && info.API.Inflight > 0 // an error is of no JetStream
}

func (s *Server) stop() error {
	s.mu.Lock()
	s.closed = true
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	s.stopWatch()
	s.watcher.Wait()
	// Connections first: one that loses its server would try to reconnect for
	// ever.
	for _, nc := range conns {
		nc.Close()
	}
	if s.ns != nil {
		s.awaitRequests(conns)
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
	}
	var err error
	if s.temp != "" {
		if rmErr := os.RemoveAll(s.temp); rmErr != nil {
			err = fmt.Errorf("embedded: remove the temporary store %s: %w", s.temp, rmErr)
		}
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	return err
}
