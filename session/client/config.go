package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Defaults of Config.
const (
	DefaultRoom             = "general"
	DefaultMinBackoff       = 500 * time.Millisecond
	DefaultMaxBackoff       = 20 * time.Second
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultAckTimeout       = 20 * time.Second
	DefaultWriteTimeout     = 5 * time.Second
	DefaultOutbox           = 1024
	DefaultMaxSend          = 16 << 10
	DefaultMaxReceive       = 16 << 20
	DefaultRate             = 20
	DefaultBurst            = 30
)

// Config configures a Client. Only URL is required; the zero value of any other
// field means its default. Dial copies it.
type Config struct {
	// URL is the server's WebSocket address: ws://host:port/ws or wss://….
	URL string
	// Others are the addresses of other nodes of the same service. After a lost
	// connection or a failed connect the next address is tried, round-robin,
	// beginning with URL.
	Others []string
	// Token returns the JWT to connect with. It is called before every connect,
	// and should return a new one if the last one has expired (4500); after an
	// error a reconnect is retried later. Nil connects as a guest, who keeps
	// its uid as long as the server accepts its token; if the server issues
	// none, each connection has another uid.
	Token func(context.Context) (string, error)
	// Username and AvatarID are the profile of a guest. They are ignored with
	// Token, as the JWT has its own.
	Username, AvatarID string
	// Room is the first room; "" is DefaultRoom.
	Room string

	// OnEvent is called with every event of the server in order, including acks
	// and errors, and with no event of a room's log twice, unless OnGap was
	// called because the log was rolled back. It may keep the event. Nothing is
	// read while it runs: if it is slow the server closes the connection, and
	// the Client resumes. What a table decided at once comes as one event of type
	// batch: wire.EachOf takes it apart.
	OnEvent func(wire.Event)
	// OnRepeat is called instead of OnEvent with an event of a room's log that
	// is not after the current position: a duplicate, or out of order. A
	// correct server sends none.
	OnRepeat func(wire.Event)
	// OnGap is called when the history that is shown of a room must be fetched
	// again: the room was resumed without all missed events, or the server says
	// that its log has a gap or was rolled back. It is called once for each
	// such room_joined, before OnEvent, and not for the first join of a room
	// without a position.
	OnGap func(Gap)
	// OnStatus is called with every change of state. Callbacks never run
	// concurrently: those of the first connect run on Dial's goroutine, all
	// others on the Client's reader goroutine.
	OnStatus func(Status)

	// MinBackoff and MaxBackoff bound the backoff before a reconnect: a random
	// time up to MinBackoff, which doubles with each failure up to MaxBackoff.
	MinBackoff, MaxBackoff time.Duration
	// HandshakeTimeout bounds a connect up to the first event, and how long
	// requests wait after that until the rooms are joined again, or refused.
	HandshakeTimeout time.Duration
	// AckTimeout is how long the server may take to answer a request before the
	// connection is considered dead. It must be longer than the 15 s for which
	// the server tries to store an event.
	AckTimeout time.Duration
	// WriteTimeout bounds one write to the connection.
	WriteTimeout time.Duration
	// Outbox is how many requests may be pending; one more fails with
	// ErrOutboxFull.
	Outbox int
	// MaxSend is the most bytes of an event as JSON; a longer one fails with
	// ErrTooBig, as the server would close the connection. It should equal the
	// server's --max-message.
	MaxSend int
	// MaxReceive is the most bytes of a message from the server; a longer one
	// ends the Client.
	MaxReceive int64
	// Rate and Burst are how many events are written per second, and at once.
	// The defaults are below the server's, with some margin in the burst for
	// events that arrive closer together than they were sent.
	Rate  float64
	Burst int
	// Unpaced writes events as they come, for a server without a limit; Rate and
	// Burst are not used then.
	Unpaced bool
	// TLS is the TLS configuration for wss:// addresses; nil trusts the
	// system's authorities. It is ignored with Dialer, which has its own.
	TLS *tls.Config
	// Dialer opens the connections, and that of a guest's login; nil is one
	// that uses the proxy variables of the environment.
	Dialer *websocket.Dialer
}

// withDefaults validates the configuration and sets defaults.
func (cfg Config) withDefaults() (Config, error) {
	for _, address := range cfg.addresses() {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || (u.Scheme != "ws" && u.Scheme != "wss") {
			return cfg, fmt.Errorf("client: URL %q is no WebSocket address; use ws://host:port/ws or wss://host/ws", address)
		}
	}
	var err error
	if cfg.Room == "" {
		cfg.Room = DefaultRoom
	}
	room, err := wire.ParseRoom(cfg.Room)
	if err != nil {
		return cfg, fmt.Errorf("client: Room: %w", err)
	}
	cfg.Room = string(room)
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"MinBackoff", &cfg.MinBackoff, DefaultMinBackoff},
		{"MaxBackoff", &cfg.MaxBackoff, DefaultMaxBackoff},
		{"HandshakeTimeout", &cfg.HandshakeTimeout, DefaultHandshakeTimeout},
		{"AckTimeout", &cfg.AckTimeout, DefaultAckTimeout},
		{"WriteTimeout", &cfg.WriteTimeout, DefaultWriteTimeout},
	} {
		if *d.value < 0 {
			return cfg, fmt.Errorf("client: %s is %v; it must not be negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	cfg.MaxBackoff = max(cfg.MaxBackoff, cfg.MinBackoff)
	if cfg.Outbox < 0 || cfg.MaxSend < 0 || cfg.MaxReceive < 0 || cfg.Burst < 0 || !(cfg.Rate >= 0) {
		return cfg, fmt.Errorf("client: Outbox, MaxSend, MaxReceive, Rate and Burst must not be negative")
	}
	cfg.Outbox = cmp.Or(cfg.Outbox, DefaultOutbox)
	cfg.MaxSend = cmp.Or(cfg.MaxSend, DefaultMaxSend)
	cfg.MaxReceive = cmp.Or(cfg.MaxReceive, DefaultMaxReceive)
	cfg.Rate = cmp.Or(cfg.Rate, DefaultRate)
	cfg.Burst = cmp.Or(cfg.Burst, DefaultBurst)
	if cfg.Unpaced {
		cfg.Rate = 0
	}
	if cfg.Dialer == nil {
		cfg.Dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg.TLS}
	}
	cfg.fillCallbacks()
	return cfg, nil
}

func (cfg *Config) addresses() []string { return append([]string{cfg.URL}, cfg.Others...) }

func (cfg *Config) fillCallbacks() {
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(wire.Event) {}
	}
	if cfg.OnRepeat == nil {
		cfg.OnRepeat = func(wire.Event) {}
	}
	if cfg.OnGap == nil {
		cfg.OnGap = func(Gap) {}
	}
	if cfg.OnStatus == nil {
		cfg.OnStatus = func(Status) {}
	}
}
