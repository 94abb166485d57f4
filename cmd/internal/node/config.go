package node

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Config is the configuration of a node. Load returns one; DefaultConfig is
// what Load returns without any settings. The tags are the flags: their names
// are those of rooms/wire/README.md, "say" is what to write instead of a
// mistake.
type Config struct {
	Addr         string        `group:"http" default:"localhost:3000" say:"HOST:PORT, such as localhost:3000" help:"Where browsers and HTTP clients connect. Any address but a loopback one requires a JWT key or --allow-guests."`
	AllowOrigin  []string      `group:"http" placeholder:"ORIGIN" say:"an origin such as https://example.com or https://*.example.com, or * for every page" help:"Let pages of this origin connect besides the server's own; https://*.example.com for all below. Repeat it for more."`
	ImageHost    []string      `group:"http" placeholder:"HOST" say:"a host such as https://cdn.example.com or https://*.example.com, or * for every host" help:"Let pictures from this host load on the page at once; all others are links. https://*.example.com for all below. Repeat it for more."`
	TLSCert      string        `group:"http" name:"tls-cert" placeholder:"FILE" say:"the path of a PEM certificate with its chain" help:"Certificate for https and wss, with its chain; SIGHUP reads it and the key again. Unless it is set: no TLS."`
	TLSKey       string        `group:"http" name:"tls-key" placeholder:"FILE" say:"the path of a PEM key" help:"Key of --tls-cert."`
	MetricsAddr  string        `group:"http" placeholder:"HOST:PORT" say:"HOST:PORT, such as localhost:9100" help:"Serve /metrics there, to whoever can connect, and not on --addr, where it needs the API key."`
	APIKeyFile   string        `group:"http" name:"api-key-file" placeholder:"FILE" say:"the path of a file with the key" help:"File with the key of the HTTP API (or ROOMD_API_KEY). Without one the API answers only on this machine, and nobody where there is a JWT key."`
	TrustedProxy []string      `group:"http" name:"trusted-proxy" placeholder:"ADDR" say:"an address or network such as 10.0.0.5 or 10.0.0.0/8" help:"Believe what this proxy says in X-Forwarded-For about whom it asks for: an address or a network. Repeat it for more. Limits per address count by it."`
	Drain        time.Duration `group:"http" default:"30s" say:"a duration such as 30s; 0s stops at once" help:"How long a stopping server takes to send its clients away."`
	JWTKeyFile   string        `group:"login" name:"jwt-key-file" placeholder:"FILE" say:"the path of a file with an HS256 secret, PEM public keys or a JWKS" help:"File with what tokens are checked with (or ROOMD_JWT_KEY): an HS256 secret of at least 16 bytes, PEM public keys or a JWKS. The key decides the algorithm."`
	AllowGuests  *bool         `group:"login" negatable:"" say:"true or false" help:"Let people in without a token. Unless it is set: whom the login hook calls a guest; without one only when there is no JWT key and --addr is a loopback address."`
	NATSURL      string        `group:"nats" name:"nats-url" placeholder:"URL,..." say:"a URL such as nats://host:4222, several separated by commas" help:"Use this NATS instead of the embedded one."`
	NATSAddr     string        `group:"nats" name:"nats-addr" default:"127.0.0.1:4222" say:"HOST:PORT, such as 127.0.0.1:4222, or - for no port" help:"Where the embedded NATS listens; - for inside the process only. It asks for the password in the file nats-password of --store-dir when there is a JWT or API key, or other machines can reach it."`
	Feed         bool          `group:"nats" say:"true or false" help:"Tell on NATS who connects, joins, leaves and ends: roomd.feed.>, for programs that follow it."`
	NATSCreds    string        `group:"nats" name:"nats-creds" placeholder:"FILE" say:"the path of a .creds file" help:"Credentials for --nats-url."`
	NATSNKey     string        `group:"nats" name:"nats-nkey" placeholder:"FILE" say:"the path of a file with an NKey seed" help:"NKey seed for --nats-url."`
	NATSTLSCert  string        `group:"nats" name:"nats-tls-cert" placeholder:"FILE" say:"the path of a PEM certificate" help:"Client certificate for --nats-url."`
	NATSTLSKey   string        `group:"nats" name:"nats-tls-key" placeholder:"FILE" say:"the path of a PEM key" help:"Key of the client certificate."`
	NATSTLSCA    string        `group:"nats" name:"nats-tls-ca" placeholder:"FILE" say:"the path of PEM certificates" help:"Authorities that the NATS server's certificate must come from. Unless it is set: the system's."`
	Store        string        `group:"log" default:"file" say:"file or memory" help:"Where the rooms' log is: file, or memory, which keeps nothing."`
	StoreDir     string        `group:"log" default:".roomd" say:"the path of a directory" help:"Directory of the embedded NATS: the log with --store file, and the file nats-password."`
	Sync         Sync          `group:"log" default:"2m" say:"a duration such as 2m, or always" help:"How often the log is synced to disk, which is what a power cut may lose; always: before every ack, about 30 times slower."`
	Replicas     int           `group:"log" default:"0" say:"a number from 1 to 5, or 0 to choose" help:"Copies of the log and of the login buckets. 0: as they are, or at first 1, or 3 on a NATS cluster of 3 or more."`
	History      int64         `group:"log" default:"1000" say:"a number such as 1000" help:"Events kept per room."`
	HistoryAge   time.Duration `group:"log" default:"24h" say:"a duration such as 24h" help:"Older events are dropped."`
	HistoryBytes Size          `group:"log" default:"1GiB" say:"a size such as 1GiB" help:"Size of the whole log; from three eighths on, rooms keep fewer events each, and beyond it the oldest of all are dropped."`
	InboxBytes   Size          `group:"log" default:"256MiB" say:"a size such as 256MiB" help:"Size of the log of all users' inboxes, which is one of its own; from three eighths on, inboxes keep fewer messages each."`
	TableHistory int64         `group:"log" default:"10000" say:"a number such as 10000, or 0 for no limit" help:"Steps of a table that are kept to be shown, within --history-age; a step is what was decided at once. 0 for no limit."`
	TableBytes   Size          `group:"log" default:"256MiB" say:"a size such as 256MiB" help:"Size of the log of all tables, which is one of its own; from three eighths on, tables keep fewer steps each, and beyond it they refuse commands as busy. What they are written down as may have a quarter of that more."`

	JWKSURL       string   `group:"login" name:"jwks-url" placeholder:"URL" say:"the https URL of your issuer's JWKS document" help:"Fetch the keys that tokens are checked with from there, and follow when they change. https, or http on this machine."`
	JWTAudience   []string `group:"login" name:"jwt-audience" placeholder:"AUD" say:"the aud claim of your tokens" help:"A token's aud must name this; repeat it for more. Unless it is set: aud is not looked at."`
	JWTIssuer     string   `group:"login" name:"jwt-issuer" placeholder:"ISS" say:"the iss claim of your tokens, such as https://login.example.com" help:"A token's iss must be this. Unless it is set: iss is not looked at."`
	Hook          []string `group:"login" placeholder:"WHAT[=URL]" say:"login, join or publish, which asks over NATS, or login=https://example.com/roomd/login" help:"Let a service decide: who logs in (login), who enters a room (join), what is said (publish). It answers roomd.hook.WHAT over NATS; login and join may name a URL instead. With login the API answers nobody without an API key, and NATS asks for its password. Repeat it for more."`
	HookHeader    []string `group:"login" placeholder:"NAME" say:"the name of a header, such as Cookie" help:"Header of the handshake that the login hook gets, such as Cookie. Repeat it for more."`
	HookKeyFile   string   `group:"login" name:"hook-key-file" placeholder:"FILE" say:"the path of a file with the key" help:"File with the key that signs what is posted to a URL of --hook (or ROOMD_HOOK_KEY). Refused where no --hook has a URL."`
	JWTRequireExp bool     `group:"login" name:"jwt-require-exp" default:"true" negatable:"" say:"true or false" help:"Refuse tokens without exp, which would be good for ever."`
	GuestRooms    []string `group:"login" placeholder:"ROOM" say:"a room, or a prefix and *, such as table-*; - for none" help:"A room that guests may enter, or a prefix and *; repeat it for more. Unless it is set: every room, or with a JWT key the room general."`
	MaxGuestRooms int      `group:"limits" default:"10000" say:"a number such as 10000, or 0 for no limit" help:"Rooms that only guests have entered, open on this server; beyond it busy. 0 for no limit."`
	GuestSpeak    []string `group:"login" placeholder:"ROOM" say:"a room, or a prefix and *, such as table-*; @* for private messages; - for none" help:"The same of where guests may speak; @* lets them send private messages, - is nowhere."`

	Tables    []string      `group:"tables" default:"baccarat-*=baccarat" placeholder:"ROOM=GAME" say:"a room, or a prefix and *, and the game there, such as baccarat-*=baccarat; - for none" help:"Rooms at which a game is played, or a prefix and *, and the game: baccarat. - for none. Repeat it for more."`
	Dealer    string        `group:"tables" default:"auto" say:"auto or live" help:"Who deals: auto, the server, or live, a program that sends deal over NATS."`
	MaxTables int64         `group:"tables" default:"10000" say:"a number such as 10000, or 0 for no limit" help:"Tables that may begin, of all servers together, half of them by guests; beyond it who would begin one is answered busy, and the others go on. 0 for no limit."`
	BetTime   time.Duration `group:"tables" default:"15s" say:"a duration such as 15s" help:"How long bets are taken."`
	DealTime  time.Duration `group:"tables" default:"1s" say:"a duration such as 1s" help:"How long passes between two cards; five times that between two rounds."`

	DrainDelay *time.Duration `group:"http" placeholder:"DURATION" say:"a duration such as 5s, or 0s for none" help:"How long of that it goes on as before, with /readyz false, so that a load balancer sees it and sends nobody new; at most half of --drain. Unless it is set: 5s, or none where --addr is a loopback address."`

	MaxMessage               Size          `group:"limits" default:"16KiB" say:"a size such as 16KiB" help:"Largest message a client may send, inflated; beyond it: 1009."`
	Compress                 bool          `group:"limits" say:"true or false" help:"Compress messages for clients that offer it (permessage-deflate): fewer bytes for them, more CPU here."`
	Rate                     float64       `group:"limits" default:"20" say:"a number such as 20, or 0 for no limit" help:"Events per second of one client; beyond it rate_limited, then 4504. 0 for no limit."`
	Burst                    int           `group:"limits" default:"40" say:"a number such as 40" help:"Events of one client at once."`
	RateBytes                Size          `group:"limits" default:"32KiB" say:"a size such as 32KiB, or 0 for no limit" help:"Bytes per second of one client, 4 s worth of them at once. A user may have twice, an address 32 times as much, and each may ask for 8 times as much as it may send. 0 for no limit."`
	RoomBytes                Size          `group:"limits" default:"256KiB" say:"a size such as 256KiB, or 0 for no limit" help:"Bytes per second that clients may send into one room; 0 for no limit."`
	InboxRate                float64       `group:"limits" default:"1" say:"a number such as 1, or 0 for no limit" help:"Private messages per second that clients may send into one user's inbox, 200 at once, of which guests may use half; 0 for no limit."`
	ConnectRate              float64       `group:"limits" default:"20" say:"a number such as 20, or 0 for no limit" help:"New connections per second of one IP address, 10 s worth of them at once; beyond it 429. 0 for no limit."`
	LoginRate                float64       `group:"limits" default:"5" say:"a number such as 5, or 0 for no limit" help:"The same of logins."`
	MaxConnections           int           `group:"limits" default:"0" say:"a number, or 0 for what the limit of open files allows" help:"Connections of this server; beyond it 503. 0 for what the limit of open files allows."`
	MaxConnectionsPerAddress int           `group:"limits" default:"0" say:"a number, or 0 for no limit" help:"Connections of one IP address; beyond it 429. 0 for no limit."`
	MaxConnectionsPerUser    int           `group:"limits" default:"20" say:"a number such as 20, or 0 for no limit" help:"Connections of one user; beyond it the oldest is closed with 4502. 0 for no limit."`
	Queue                    int           `group:"limits" default:"256" say:"a number such as 256" help:"Messages that wait for one slow client before it is closed with 4001; it resumes and loses nothing."`
	QueueBytes               Size          `group:"limits" default:"1MiB" say:"a size such as 1MiB" help:"The same in bytes."`
	Memory                   Size          `group:"limits" default:"128MiB" say:"a size such as 128MiB, or 0 for no limit" help:"What all rooms together remember of their logs in memory; the least used forget first. At most a quarter of GOMEMLIMIT. 0 for no limit."`
	Ping                     time.Duration `group:"limits" default:"25s" say:"a duration such as 25s" help:"How often a silent client is pinged; it has 10s to answer, else 4002."`
	PresenceInterval         time.Duration `group:"limits" default:"1s" say:"a duration such as 1s" help:"Who came and went is told once per interval."`
	PresenceGrace            time.Duration `group:"limits" default:"15s" say:"a duration such as 15s, or 0s for none" help:"A lost connection keeps its seat for this long."`

	NodeName string `group:"general" placeholder:"NAME" say:"up to 64 of the characters a-z A-Z 0-9 _ -" help:"Name of this server in its cluster. Unless it is set: random."`
	PProf    string `group:"general" name:"pprof" placeholder:"HOST:PORT" say:"HOST:PORT on loopback, such as localhost:6060" help:"Serve profiles for go tool pprof there; loopback only."`
	Log      string `group:"general" default:"" placeholder:"FORMAT" say:"json or console" help:"Format of the log: json or console. Unless it is set: console on a terminal."`
	LogLevel string `group:"general" default:"info" say:"debug, info, warn or error" help:"What is logged: debug, info, warn or error."`

	JWTKey  string `kong:"-"` // from ROOMD_JWT_KEY or JWTKeyFile; "": no user's token is accepted
	HookKey string `kong:"-"` // from ROOMD_HOOK_KEY or HookKeyFile; "": no hook has a URL
	APIKey  string `kong:"-"` // from ROOMD_API_KEY or APIKeyFile; "": the API answers on loopback only, and nobody where tokens are checked
}

// DefaultConfig returns the defaults: those of rooms/wire/README.md.
func DefaultConfig() Config {
	cfg, err := Load(nil, nil, nil)
	if err != nil {
		panic("node: the defaults are not valid: " + err.Error()) // a mistake in the tags; TestDefaults would show it
	}
	return cfg
}

// Guests reports whether users without a token are let in. By default they are
// not if a key was given: behind a proxy everybody seems to come from this
// machine.
func (c Config) Guests() bool {
	if c.AllowGuests != nil {
		return *c.AllowGuests
	}
	return !c.takesTokens() && isLoopback(c.Addr)
}

// defaultDrainDelay is a little longer than the usual interval of a load
// balancer's health checks.
const defaultDrainDelay = 5 * time.Second

// drainDelay returns how long new clients are still accepted in a shutdown that
// may take limit.
func (c Config) drainDelay(limit time.Duration) time.Duration {
	delay := defaultDrainDelay
	switch {
	case c.DrainDelay != nil:
		delay = *c.DrainDelay
	case isLoopback(c.Addr):
		delay = 0 // Ctrl-C at a terminal
	}
	return min(delay, limit/2)
}

// takesTokens reports whether users log in, with tokens or by a hook.
func (c Config) takesTokens() bool { return c.checksTokens() || c.asksLogin() }

// checksTokens reports whether there is something to check JWTs with.
func (c Config) checksTokens() bool { return c.JWTKey != "" || c.JWKSURL != "" }

// guestRights returns the rooms that guests may enter and speak in, as
// auth.Guests has them. If there are users with tokens they have only the
// default room.
func (c Config) guestRights() (enter, speak []string, err error) {
	for _, right := range []struct {
		flag    string
		given   []string
		granted *[]string
	}{{"guest-rooms", c.GuestRooms, &enter}, {"guest-speak", c.GuestSpeak, &speak}} {
		if len(right.given) == 0 && c.takesTokens() {
			right.given = []string{string(session.DefaultConfig().DefaultRoom)}
		}
		if *right.granted, err = auth.ParsePatterns(right.given); err != nil {
			return nil, nil, wrong(right.flag, "%s; write a room, a prefix and * such as table-*, or - for none", strings.TrimPrefix(err.Error(), "auth: "))
		}
	}
	return enter, speak, nil
}

// proxies are those of --trusted-proxy.
func (c Config) proxies() auth.Proxies {
	proxies, err := auth.ParseProxies(c.TrustedProxy)
	if err != nil {
		panic("node: --trusted-proxy was not validated: " + err.Error())
	}
	return proxies
}

// InMemory reports whether the log is lost when NATS stops.
func (c Config) InMemory() bool { return c.Store == storeMemory }

// NATSPasswordFile returns the file with the password of the embedded NATS; "":
// it needs none. It needs one as soon as a key is set, since NATS bypasses all
// keys.
func (c Config) NATSPasswordFile() string {
	switch {
	case c.NATSURL != "" || c.NATSAddr == embedded.InProcessOnly:
		return ""
	case !c.takesTokens() && c.APIKey == "" && isLoopback(c.NATSAddr):
		return ""
	}
	return filepath.Join(c.StoreDir, embedded.PasswordFileName)
}

const (
	storeFile   = "file"
	storeMemory = "memory"
)
