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

// Config says where to connect, as whom, and what to do with what comes. Only
// URL is required; a zero value of any other field means its default. Dial
// copies it.
type Config struct {
	// URL is the server's WebSocket address: ws://host:port/ws or wss://….
	URL string
	// Others are the addresses of more nodes of the same service. After a
	// lost connection, and after a connect that failed, the next address is
	// tried, round and round beginning with URL.
	Others []string
	// Token returns the JWT to connect with. It is called for every connect,
	// so it can return a fresh one, which it should once the last one has ended
	// (4500); an error of a reconnect is tried again later. Nil connects as a guest, who keeps its uid as long as the server
	// takes its token, and has another one on every connection of a server
	// that gives none.
	Token func(context.Context) (string, error)
	// Username and AvatarID are what a guest is called. They are not used
	// with a Token, which says it itself.
	Username, AvatarID string
	// Room is the first room; "" is DefaultRoom.
	Room string

	// OnEvent gets every event of the server in order, acks and errors
	// included, and no event of a room's log twice, unless OnGap was told
	// that the room went back. The event is its to keep.
	// While it runs nothing else is read: a slow one makes the server close
	// the connection, and the Client resume.
	OnEvent func(wire.Event)
	// OnRepeat gets an event of a room's log that is not above the present
	// position: it came before, or too late. OnEvent does not get it. A
	// server that keeps its promise makes none.
	OnRepeat func(wire.Event)
	// OnGap is told when what is shown of a room must be fetched anew: the
	// room came back without all that was missed, or the server says unasked
	// that its log has a hole or was rolled back. It is called once for each
	// room_joined that says so, before OnEvent gets that, and not for the
	// first join of a room without a position.
	OnGap func(Gap)
	// OnStatus is told about every change of state. All callbacks run one at
	// a time: those of the first connect on Dial's goroutine, all others on
	// the Client's reader.
	OnStatus func(Status)

	// MinBackoff and MaxBackoff bound the wait before a reconnect: a random
	// time up to MinBackoff, doubled with each failure up to MaxBackoff.
	MinBackoff, MaxBackoff time.Duration
	// HandshakeTimeout bounds a connect up to the first event, and how long
	// requests wait for the rooms to be joined again after it.
	HandshakeTimeout time.Duration
	// AckTimeout is how long a request may stay unanswered before the
	// connection counts as dead. It must be longer than the server's own
	// limit of 15 s for storing an event.
	AckTimeout time.Duration
	// WriteTimeout bounds one write to the connection.
	WriteTimeout time.Duration
	// Outbox is how many requests may wait for their answer; one more fails
	// with ErrOutboxFull.
	Outbox int
	// MaxSend is the longest event in bytes of JSON; a longer one fails with
	// ErrTooBig, because the server would close the connection over it. Set
	// it to the server's --max-message.
	MaxSend int
	// MaxReceive is the longest message taken from the server, in bytes; a
	// longer one ends the Client.
	MaxReceive int64
	// Rate and Burst are how many events are written per second, and at once.
	// The defaults stay within the server's own, with some room in the burst
	// for events that the network lets arrive closer together. A negative
	// Rate is no limit.
	Rate  float64
	Burst int
	// TLS says whom to trust at wss:// addresses; nil is whom the system
	// trusts. It is not used with a Dialer, which says it itself.
	TLS *tls.Config
	// Dialer makes the connections; nil is one that heeds the proxy variables
	// of the environment. The guest's login goes the same way.
	Dialer *websocket.Dialer
}

// withDefaults checks the configuration and fills it up.
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
	if cfg.Outbox < 0 || cfg.MaxSend < 0 || cfg.MaxReceive < 0 || cfg.Burst < 0 {
		return cfg, fmt.Errorf("client: Outbox, MaxSend, MaxReceive and Burst must not be negative")
	}
	cfg.Outbox = cmp.Or(cfg.Outbox, DefaultOutbox)
	cfg.MaxSend = cmp.Or(cfg.MaxSend, DefaultMaxSend)
	cfg.MaxReceive = cmp.Or(cfg.MaxReceive, DefaultMaxReceive)
	cfg.Rate = cmp.Or(cfg.Rate, DefaultRate)
	cfg.Burst = cmp.Or(cfg.Burst, DefaultBurst)
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
