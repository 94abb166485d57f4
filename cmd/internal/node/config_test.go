package node

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const secret = "0123456789abcdef0123456789abcdef"

// The defaults of rooms/wire/README.md: scripts rely on them.
func TestDefaults(t *testing.T) {
	want := Config{
		Addr: "localhost:3000", NATSAddr: "127.0.0.1:4222", Store: "file", StoreDir: ".roomd", Sync: Sync{Every: 2 * time.Minute},
		History: 1000, HistoryAge: 24 * time.Hour, HistoryBytes: 1 << 30, InboxBytes: 256 << 20, TableHistory: 10_000, TableBytes: 256 << 20, MaxMessage: 16 << 10, Rate: 20, Burst: 40,
		RateBytes: 32 << 10, RoomBytes: 256 << 10, InboxRate: 1, ConnectRate: 20, LoginRate: 5,
		MaxConnectionsPerUser: 20, MaxGuestRooms: 10_000, Queue: 256, QueueBytes: 1 << 20, Memory: 128 << 20, Ping: 25 * time.Second,
		PresenceInterval: time.Second, PresenceGrace: 15 * time.Second, Drain: 30 * time.Second, LogLevel: "info", JWTRequireExp: true,
		Tables: []string{"baccarat-*=baccarat"}, Dealer: "auto", MaxTables: 10_000, BetTime: 15 * time.Second, DealTime: time.Second,
	}
	if got := DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", pretty(got), pretty(want))
	}
}

func hostsNothing(c Config) bool { list, err := c.hosting(); return len(list) == 0 && err == nil }

func TestLoad(t *testing.T) {
	file := writeFile(t, `{"addr": "localhost:1", "max_message": "64KB", "rate": 7.5, "history": 12, "allow-guests": true, "allow-origin": ["https://a.example", "https://b.example"]}`)
	tests := []struct {
		name string
		args []string
		env  []string
		get  func(Config) any
		want any
	}{
		{"flag", []string{"--addr", "localhost:2"}, nil, func(c Config) any { return c.Addr }, "localhost:2"},
		{"flag with =", []string{"--addr=localhost:2"}, nil, func(c Config) any { return c.Addr }, "localhost:2"},
		{"environment", nil, []string{"ROOMD_ADDR=localhost:3"}, func(c Config) any { return c.Addr }, "localhost:3"},
		{"empty environment counts as not set", nil, []string{"ROOMD_ADDR="}, func(c Config) any { return c.Addr }, "localhost:3000"},
		{"other environment", nil, []string{"PATH=/bin", "XROOMD_ADDR=a"}, func(c Config) any { return c.Addr }, "localhost:3000"},
		{"Kubernetes service named roomd", nil, []string{"ROOMD_PORT=tcp://10.0.0.1:80", "ROOMD_SERVICE_HOST=10.0.0.1", "ROOMD_PORT_80_TCP_ADDR=10.0.0.1"}, func(c Config) any { return c.Addr }, "localhost:3000"},
		{"file", []string{"--config", file}, nil, func(c Config) any { return c.Addr }, "localhost:1"},
		{"file by environment", nil, []string{"ROOMD_CONFIG=" + file}, func(c Config) any { return c.Addr }, "localhost:1"},
		{"environment wins over file", []string{"--config=" + file}, []string{"ROOMD_ADDR=localhost:3"}, func(c Config) any { return c.Addr }, "localhost:3"},
		{"flag wins over all", []string{"--config=" + file, "--addr=localhost:2"}, []string{"ROOMD_ADDR=localhost:3"}, func(c Config) any { return c.Addr }, "localhost:2"},
		{"size in file", []string{"--config", file}, nil, func(c Config) any { return c.MaxMessage }, Size(64_000)},
		{"number in file", []string{"--config", file}, nil, func(c Config) any { return c.Rate }, 7.5},
		{"whole number in file", []string{"--config", file}, nil, func(c Config) any { return c.History }, int64(12)},
		{"bool in file", []string{"--config", file}, nil, func(c Config) any { return *c.AllowGuests }, true},
		{"list in file", []string{"--config", file}, nil, func(c Config) any { return c.AllowOrigin }, []string{"https://a.example", "https://b.example"}},
		{"list by flags", []string{"--allow-origin", "https://a.example", "--allow-origin=https://*.b.example"}, nil, func(c Config) any { return c.AllowOrigin }, []string{"https://a.example", "https://*.b.example"}},
		{"image hosts by flags", []string{"--image-host", "https://a.example", "--image-host=https://*.b.example"}, nil, func(c Config) any { return c.ImageHost }, []string{"https://a.example", "https://*.b.example"}},
		{"list by environment", nil, []string{"ROOMD_ALLOW_ORIGIN=https://a.example,https://b.example"}, func(c Config) any { return c.AllowOrigin }, []string{"https://a.example", "https://b.example"}},
		{"tables by flags", []string{"--tables=a-*=baccarat", "--tables", "b=baccarat"}, nil, func(c Config) any { return c.Tables }, []string{"a-*=baccarat", "b=baccarat"}},
		{"tables by environment", nil, []string{"ROOMD_TABLES=a-*=baccarat,b=baccarat", "ROOMD_DEALER=live"}, func(c Config) any { return len(c.Tables) }, 2},
		{"no tables", []string{"--tables=-"}, nil, func(c Config) any { return hostsNothing(c) }, true},
		{"no tables, written as nothing", []string{"--tables="}, nil, func(c Config) any { return hostsNothing(c) }, true},
		{"sync always", []string{"--sync=always"}, nil, func(c Config) any { return c.Sync }, Sync{Always: true}},
		{"sync", nil, []string{"ROOMD_SYNC=5s"}, func(c Config) any { return c.Sync }, Sync{Every: 5 * time.Second}},
		{"no limits", []string{"--rate=0", "--max-connections-per-user=0"}, nil, func(c Config) any { return [2]float64{c.Rate, float64(c.MaxConnectionsPerUser)} }, [2]float64{}},
		{"no limits of bytes", []string{"--rate-bytes=0", "--room-bytes", "0", "--inbox-rate=0", "--connect-rate=0", "--login-rate=0"}, nil, func(c Config) any { return c.RateBytes + c.RoomBytes + Size(c.InboxRate+c.ConnectRate+c.LoginRate) }, Size(0)},
		{"proxies", []string{"--trusted-proxy", "10.0.0.0/8", "--trusted-proxy=::1"}, nil, func(c Config) any { return c.TrustedProxy }, []string{"10.0.0.0/8", "::1"}},
		{"no delay on loopback", nil, nil, func(c Config) any { return c.drainDelay(c.Drain) }, time.Duration(0)},
		{"delay on loopback", []string{"--drain-delay=2s"}, nil, func(c Config) any { return c.drainDelay(c.Drain) }, 2 * time.Second},
		{"delay elsewhere", []string{"--addr=0.0.0.0:3000", "--allow-guests"}, nil, func(c Config) any { return c.drainDelay(c.Drain) }, 5 * time.Second},
		{"no delay elsewhere", []string{"--addr=0.0.0.0:3000", "--allow-guests"}, []string{"ROOMD_DRAIN_DELAY=0s"}, func(c Config) any { return c.drainDelay(c.Drain) }, time.Duration(0)},
		{"delay of a short drain", []string{"--addr=0.0.0.0:3000", "--allow-guests", "--drain=4s"}, nil, func(c Config) any { return c.drainDelay(c.Drain) }, 2 * time.Second},
		{"guests by loopback", nil, nil, Config.guestsAny, true},
		{"guests by loopback address", []string{"--addr=[::1]:1"}, nil, Config.guestsAny, true},
		{"no guests by other address", []string{"--addr=:1"}, []string{"ROOMD_JWT_KEY=" + secret}, Config.guestsAny, false},
		{"guests by flag", []string{"--addr=:1", "--allow-guests"}, nil, Config.guestsAny, true},
		{"guests by environment", []string{"--addr=:1"}, []string{"ROOMD_ALLOW_GUESTS=true"}, Config.guestsAny, true},
		{"no guests on loopback", []string{"--allow-guests=false"}, []string{"ROOMD_JWT_KEY=" + secret}, Config.guestsAny, false},
		{"no guests on loopback, negated", []string{"--no-allow-guests"}, []string{"ROOMD_JWT_KEY=" + secret}, Config.guestsAny, false},
		{"no guests beside a key, on loopback either", nil, []string{"ROOMD_JWT_KEY=" + secret}, Config.guestsAny, false},
		{"no guests beside fetched keys", []string{"--jwks-url=https://login.example.com/jwks"}, nil, Config.guestsAny, false},
		{"guests beside a key", []string{"--allow-guests"}, []string{"ROOMD_JWT_KEY=" + secret}, Config.guestsAny, true},
		{"guests without a key may everything", nil, nil, Config.rightsAny, rights{}},
		{"guests beside a key", nil, []string{"ROOMD_JWT_KEY=" + secret}, Config.rightsAny, rights{[]string{"general"}, []string{"general"}}},
		{"guests who watch tables", []string{"--guest-rooms=table-*", "--guest-rooms", "general"}, []string{"ROOMD_JWT_KEY=" + secret}, Config.rightsAny,
			rights{[]string{"table-*", "general"}, []string{"general"}}},
		{"guests who only watch", []string{"--guest-speak=-"}, []string{"ROOMD_GUEST_ROOMS=a,b"}, Config.rightsAny, rights{[]string{"a", "b"}, []string{}}},
		{"tokens without exp", []string{"--no-jwt-require-exp"}, nil, func(c Config) any { return c.JWTRequireExp }, false},
		{"tokens without exp by environment", nil, []string{"ROOMD_JWT_REQUIRE_EXP=false"}, func(c Config) any { return c.JWTRequireExp }, false},
		{"secret by environment", nil, []string{"ROOMD_JWT_KEY=" + secret}, func(c Config) any { return c.JWTKey }, secret},
		{"secret by file", []string{"--jwt-key-file", writeFile(t, secret+"\n")}, nil, func(c Config) any { return c.JWTKey }, secret},
		{"api key by file by environment", nil, []string{"ROOMD_API_KEY_FILE=" + writeFile(t, "k\n")}, func(c Config) any { return c.APIKey }, "k"},
		{"password in the environment's URL", nil, []string{"ROOMD_NATS_URL=nats://u:p@localhost:4222"}, func(c Config) any { return c.NATSURL }, "nats://u:p@localhost:4222"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(tt.args, tt.env, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.get(cfg); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func (c Config) guestsAny() any { return c.Guests() }

type rights struct{ enter, speak []string }

func (c Config) rightsAny() any {
	enter, speak, err := c.guestRights()
	if err != nil {
		return err
	}
	return rights{enter, speak}
}

// Every mistake names the flag and its variable, or whatever was misspelt, and what to write.
func TestMistakes(t *testing.T) {
	file := func(content string) []string { return []string{"--config", writeFile(t, content)} }
	tests := []struct {
		name string
		args []string
		env  []string
		says []string
	}{
		{"not a number", []string{"--rate=fast"}, nil, []string{"--rate", "ROOMD_RATE", `"fast"`, "such as 20"}},
		{"from the environment", nil, []string{"ROOMD_RATE=fast"}, []string{"--rate", "ROOMD_RATE", "environment", `"fast"`, "such as 20"}},
		{"from the file", file(`{"rate": "fast"}`), nil, []string{"--rate", "ROOMD_RATE", "file", `"fast"`, "such as 20"}},
		{"command line wins the blame", []string{"--rate=-1"}, []string{"ROOMD_RATE=1"}, []string{"--rate (ROOMD_RATE): -1"}},
		{"negative number", []string{"--rate", "-1"}, nil, []string{"--rate (ROOMD_RATE): -1 is out of range; write a number such as 20"}},
		{"negative whole number", []string{"--history", "-5"}, nil, []string{"--history (ROOMD_HISTORY): -5 is too small; write a number from 1 up"}},
		{"negative duration", []string{"--drain", "-1s"}, nil, []string{"--drain (ROOMD_DRAIN): -1s is out of range; write a duration from 0s"}},
		{"negative size", []string{"--max-message", "-1KiB"}, nil, []string{`--max-message (ROOMD_MAX_MESSAGE): "-1KiB" is negative; write a size such as 16KiB`}},
		{"negative size from the environment", nil, []string{"ROOMD_MEMORY=-1"}, []string{`--memory (ROOMD_MEMORY), set in the environment: "-1" is negative; write a size such as 128MiB`}},
		{"negative size from the file", file(`{"room-bytes": -1}`), nil, []string{"--room-bytes (ROOMD_ROOM_BYTES), set in ", `"-1" is negative; write a size such as 256KiB`}},
		{"negative sync", []string{"--sync", "-1s"}, nil, []string{"--sync (ROOMD_SYNC): -1s is too short; write a duration such as 2m"}},
		{"size of too much", []string{"--history-bytes=9000000TiB"}, nil, []string{`--history-bytes (ROOMD_HISTORY_BYTES): "9000000TiB" is too large; write a size such as 1GiB`}},
		{"whole number of too much", []string{"--history=99999999999999999999"}, nil, []string{`--history (ROOMD_HISTORY): "99999999999999999999" cannot be used; write a number such as 1000`}},
		{"number that is none", file(`{"rate": true}`), nil, []string{`"true" cannot be used; write a number such as 20`}},
		{"no value", []string{"--rate"}, nil, []string{"--rate", "ROOMD_RATE", "missing", "such as 20"}},
		{"NaN", []string{"--rate=NaN"}, nil, []string{"--rate", "ROOMD_RATE"}},
		{"fraction", []string{"--history=1.5"}, nil, []string{"--history", "ROOMD_HISTORY", "such as 1000"}},
		{"size", []string{"--max-message=16x"}, nil, []string{"--max-message", "ROOMD_MAX_MESSAGE", `"16x"`, "16KiB"}},
		{"size out of range", []string{"--max-message=1GiB"}, nil, []string{"--max-message", "ROOMD_MAX_MESSAGE", "256KiB"}},
		{"duration without a unit", []string{"--ping=25"}, nil, []string{"--ping", "ROOMD_PING", "25s"}},
		{"ping too short", []string{"--ping=1ms"}, nil, []string{"--ping", "ROOMD_PING", "1s"}},
		{"sync", []string{"--sync=never"}, nil, []string{"--sync", "ROOMD_SYNC", "always"}},
		{"sync of nothing", []string{"--sync=0s"}, nil, []string{"--sync", "ROOMD_SYNC", "always"}},
		{"store", []string{"--store=disk"}, nil, []string{"--store", "ROOMD_STORE", "memory"}},
		{"store-dir", []string{"--store-dir="}, nil, []string{"--store-dir", "ROOMD_STORE_DIR", ".roomd"}},
		{"replicas", []string{"--replicas=6"}, nil, []string{"--replicas", "ROOMD_REPLICAS"}},
		{"replicas of the embedded", []string{"--replicas=3"}, nil, []string{"--replicas", "ROOMD_REPLICAS", "--nats-url", "ROOMD_NATS_URL"}},
		{"history", []string{"--history=0"}, nil, []string{"--history", "ROOMD_HISTORY"}},
		{"history-age", []string{"--history-age=1s"}, nil, []string{"--history-age", "ROOMD_HISTORY_AGE", "3m"}},
		{"history-bytes", []string{"--history-bytes=1KiB"}, nil, []string{"--history-bytes", "ROOMD_HISTORY_BYTES", "1MiB"}},
		{"inbox-bytes", []string{"--inbox-bytes=1KiB"}, nil, []string{"--inbox-bytes", "ROOMD_INBOX_BYTES", "1MiB"}},
		{"table-history", []string{"--table-history=-1"}, nil, []string{"--table-history", "ROOMD_TABLE_HISTORY", "-1 is negative"}},
		{"table-bytes", []string{"--table-bytes=1KiB"}, nil, []string{"--table-bytes", "ROOMD_TABLE_BYTES", "1MiB"}},
		{"burst", []string{"--burst=0"}, nil, []string{"--burst", "ROOMD_BURST"}},
		{"queue", []string{"--queue=1"}, nil, []string{"--queue", "ROOMD_QUEUE"}},
		{"queue-bytes", []string{"--queue-bytes=1KiB"}, nil, []string{"--queue-bytes", "ROOMD_QUEUE_BYTES", "ROOMD_MAX_MESSAGE"}},
		{"max-tables", []string{"--max-tables=-1"}, nil, []string{"--max-tables", "ROOMD_MAX_TABLES"}},
		{"max-guest-rooms", []string{"--max-guest-rooms=-1"}, nil, []string{"--max-guest-rooms", "ROOMD_MAX_GUEST_ROOMS"}},
		{"a table without a game", []string{"--tables=vip-*"}, nil, []string{"--tables", "ROOMD_TABLES", "vip-*", "baccarat-*=baccarat"}},
		{"a game that there is not", []string{"--tables=vip-*=poker"}, nil, []string{"--tables", "ROOMD_TABLES", "poker", "baccarat"}},
		{"a table that is no room", []string{"--tables=@x=baccarat"}, nil, []string{"--tables", "ROOMD_TABLES", "@x"}},
		{"a star within a table's name", []string{"--tables=a*b=baccarat"}, nil, []string{"--tables", "ROOMD_TABLES", "a*b", "prefix"}},
		{"every room a table", []string{"--tables=*=baccarat"}, nil, []string{"--tables", "ROOMD_TABLES", "general"}},
		{"dealer", []string{"--dealer=robot"}, nil, []string{"--dealer", "ROOMD_DEALER", "auto", "live"}},
		{"bet-time", []string{"--bet-time=0s"}, nil, []string{"--bet-time", "ROOMD_BET_TIME", "15s"}},
		{"deal-time", []string{"--deal-time=-1s"}, nil, []string{"--deal-time", "ROOMD_DEAL_TIME", "1s"}},
		{"max-connections", []string{"--max-connections=-1"}, nil, []string{"--max-connections", "ROOMD_MAX_CONNECTIONS"}},
		{"inbox-rate", []string{"--inbox-rate=-1"}, nil, []string{"--inbox-rate", "ROOMD_INBOX_RATE", "such as 1,"}},
		{"connect-rate", []string{"--connect-rate=-1"}, nil, []string{"--connect-rate", "ROOMD_CONNECT_RATE", "such as 20"}},
		{"login-rate", []string{"--login-rate=NaN"}, nil, []string{"--login-rate", "ROOMD_LOGIN_RATE", "such as 5"}},
		{"rate-bytes", []string{"--rate-bytes=fast"}, nil, []string{"--rate-bytes", "ROOMD_RATE_BYTES", "such as 32KiB"}},
		{"room-bytes", []string{"--room-bytes=-1KiB"}, nil, []string{"--room-bytes", "ROOMD_ROOM_BYTES", "such as 256KiB"}},
		{"a drain delay before its time", []string{"--drain-delay=-1s"}, nil, []string{"--drain-delay", "ROOMD_DRAIN_DELAY", "0s"}},
		{"trusted proxy", []string{"--trusted-proxy=proxy.example"}, nil, []string{"--trusted-proxy", "ROOMD_TRUSTED_PROXY", "10.0.0.0/8"}},
		{"presence-interval", []string{"--presence-interval=1ms"}, nil, []string{"--presence-interval", "ROOMD_PRESENCE_INTERVAL"}},
		{"presence-grace", []string{"--presence-grace=-1s"}, nil, []string{"--presence-grace", "ROOMD_PRESENCE_GRACE"}},
		{"drain", []string{"--drain=-1s"}, nil, []string{"--drain", "ROOMD_DRAIN"}},
		{"node-name", []string{"--node-name=a b"}, nil, []string{"--node-name", "ROOMD_NODE_NAME"}},
		{"log", []string{"--log=xml"}, nil, []string{"--log", "ROOMD_LOG", "json", "console"}},
		{"log-level", []string{"--log-level=loud"}, nil, []string{"--log-level", "ROOMD_LOG_LEVEL", "debug"}},
		{"addr without port", []string{"--addr=localhost"}, nil, []string{"--addr", "ROOMD_ADDR", "localhost:3000"}},
		{"addr with bad port", []string{"--addr=localhost:99999"}, nil, []string{"--addr", "ROOMD_ADDR", "65535"}},
		{"nats-addr", []string{"--nats-addr=4222"}, nil, []string{"--nats-addr", "ROOMD_NATS_ADDR", "127.0.0.1:4222"}},
		{"origin", []string{"--allow-origin=example.com"}, nil, []string{"--allow-origin", "ROOMD_ALLOW_ORIGIN", "https://example.com"}},
		{"image host", []string{"--image-host=cdn.example.com"}, nil, []string{"--image-host", "ROOMD_IMAGE_HOST", "https://cdn.example.com"}},
		{"image host that is a policy", []string{"--image-host=https://a;script-src"}, nil, []string{"--image-host", "ROOMD_IMAGE_HOST", "https://cdn.example.com"}},
		{"TLS without a key", []string{"--tls-cert=x"}, nil, []string{"--tls-cert", "ROOMD_TLS_CERT", "--tls-key", "ROOMD_TLS_KEY"}},
		{"TLS without a certificate", []string{"--tls-key=x"}, nil, []string{"--tls-cert", "--tls-key", "ROOMD_TLS_KEY"}},
		{"metrics address", []string{"--metrics-addr=9100"}, nil, []string{"--metrics-addr", "ROOMD_METRICS_ADDR", "localhost:9100"}},
		{"open to the world", []string{"--addr=0.0.0.0:3000"}, nil, []string{"--addr", "ROOMD_ADDR", "0.0.0.0:3000", "ROOMD_JWT_KEY", "--jwt-key-file", "--allow-guests"}},
		{"open to the world by name", []string{"--addr=example.com:3000"}, nil, []string{"--addr", "--allow-guests"}},
		{"no guests and no key", []string{"--allow-guests=false"}, nil, []string{"--allow-guests", "ROOMD_ALLOW_GUESTS", "ROOMD_JWT_KEY"}},
		{"a room of guests", []string{"--guest-rooms=a\x01"}, nil, []string{"--guest-rooms", "ROOMD_GUEST_ROOMS", "control", "table-*"}},
		{"a star within a room of guests", []string{"--guest-speak=a*b"}, nil, []string{"--guest-speak", "ROOMD_GUEST_SPEAK", "table-*"}},
		{"an issuer of nothing", []string{"--jwt-issuer=x"}, nil, []string{"--jwt-issuer", "ROOMD_JWT_ISSUER", "ROOMD_JWT_KEY"}},
		{"an audience of nothing", []string{"--jwt-audience=x"}, nil, []string{"--jwt-audience", "ROOMD_JWT_AUDIENCE", "ROOMD_JWT_KEY"}},
		{"keys over http", []string{"--jwks-url=http://login.example.com/jwks"}, nil, []string{"--jwks-url", "ROOMD_JWKS_URL", "https"}},
		{"keys and a key", []string{"--jwks-url=https://login.example.com/jwks"}, []string{"ROOMD_JWT_KEY=" + secret}, []string{"--jwks-url", "ROOMD_JWKS_URL", "--jwt-key-file"}},
		{"not a bool", []string{"--allow-guests=maybe"}, nil, []string{"--allow-guests", "ROOMD_ALLOW_GUESTS", "true or false"}},
		{"secret on the command line", []string{"--jwt-key=" + secret}, nil, []string{"--jwt-key", "ROOMD_JWT_KEY", "--jwt-key-file"}},
		{"api key on the command line", []string{"--api-key", secret}, nil, []string{"--api-key", "ROOMD_API_KEY", "--api-key-file"}},
		{"password on the command line", []string{"--nats-url=nats://u:" + secret + "@h:1"}, nil, []string{"--nats-url", "ROOMD_NATS_URL", "--nats-creds"}},
		{"short secret", nil, []string{"ROOMD_JWT_KEY=short"}, []string{"--jwt-key", "ROOMD_JWT_KEY", "environment", "16"}},
		{"short secret in a file", []string{"--jwt-key-file", writeFile(t, "short")}, nil, []string{"--jwt-key-file", "ROOMD_JWT_KEY_FILE", "16"}},
		{"no such file", []string{"--api-key-file=/no/such"}, nil, []string{"--api-key-file", "ROOMD_API_KEY_FILE", "/no/such"}},
		{"empty file", []string{"--api-key-file", writeFile(t, "\n")}, nil, []string{"--api-key-file", "ROOMD_API_KEY_FILE", "empty"}},
		{"file and environment", []string{"--api-key-file", writeFile(t, "k")}, []string{"ROOMD_API_KEY=k"}, []string{"--api-key-file", "ROOMD_API_KEY"}},
		{"api key with a space", nil, []string{"ROOMD_API_KEY=a b"}, []string{"--api-key", "ROOMD_API_KEY"}},
		{"api key with a space in a file", []string{"--api-key-file", writeFile(t, "a b")}, nil, []string{"--api-key-file", "ROOMD_API_KEY_FILE", "spaces"}},
		{"profiles for everybody", []string{"--pprof=0.0.0.0:6060"}, nil, []string{"--pprof", "ROOMD_PPROF", "localhost:6060"}},
		{"credentials without a URL", []string{"--nats-creds=x"}, nil, []string{"--nats-creds", "ROOMD_NATS_CREDS", "--nats-url", "ROOMD_NATS_URL"}},
		{"certificate without a key", []string{"--nats-url=nats://h:1", "--nats-tls-cert=x"}, nil, []string{"--nats-tls-cert", "ROOMD_NATS_TLS_CERT", "--nats-tls-key"}},
		{"unknown flag", []string{"--adr=x"}, nil, []string{`--adr is no flag of roomd; did you mean --addr? roomd --help lists the flags`}},
		{"unknown flag like none", []string{"--zzzzzz"}, nil, []string{"--zzzzzz is no flag of roomd; roomd --help lists the flags"}},
		{"argument", []string{"serve"}, nil, []string{"serve", "--help"}},
		{"unknown variable like no flag", nil, []string{"ROOMD_ZZZZZZ=x"}, []string{"environment variable ROOMD_ZZZZZZ is no flag of roomd; roomd --help lists the flags"}},
		{"config with a key like no flag", file(`{"zzzzzz": 1}`), nil, []string{`holds "zzzzzz", which is no flag of roomd; roomd --help lists the flags`}},
		{"config with null", file(`{"rate": null}`), nil, []string{"--config", `"rate"`, "write"}},
		{"unknown variable", nil, []string{"ROOMD_JWTKEY=x"}, []string{"ROOMD_JWTKEY", "ROOMD_JWT_KEY", "--jwt-key"}},
		{"unknown variable like a flag", nil, []string{"ROOMD_MAX_MESSAGES=x"}, []string{"ROOMD_MAX_MESSAGES", "ROOMD_MAX_MESSAGE", "--max-message"}},
		{"variable in lower case", nil, []string{"ROOMD_addr=x"}, []string{"ROOMD_addr", "ROOMD_ADDR"}},
		{"port is no variable of ours", nil, []string{"ROOMD_PORT=3000"}, []string{"ROOMD_PORT is no flag of roomd"}},
		{"no config file", []string{"--config=/no/such"}, nil, []string{"--config", "ROOMD_CONFIG", "/no/such"}},
		{"config no JSON", file(`addr = "x"`), nil, []string{"--config", "ROOMD_CONFIG", "no JSON object"}},
		{"config goes on", file(`{} {}`), nil, []string{"--config", "goes on"}},
		{"config with unknown key", file(`{"adr": "x"}`), nil, []string{"--config", `holds "adr", which is no flag of roomd; did you mean "addr"? roomd --help lists the flags`}},
		{"config with a key twice", file("{\n\"rate\": 1,\n\"addr\": \"localhost:1\",\n\n  \"rate\": 2}"), nil, []string{"--config", `holds "rate" twice, in lines 2 and 5; keep one`}},
		{"config with a key twice in a line", file(`{"rate": 1, "r\u0061te": 2}`), nil, []string{"--config", `holds "rate" twice, in line 1; keep one`}},
		{"config with a key in two spellings", file("{\"store_dir\": \"x\",\n\"store-dir\": \"y\"}"), nil, []string{"--config", `holds "store-dir" twice, in lines 1 and 2, as "store_dir" and "store-dir"; keep one`}},
		{"config with an unknown key in a line", file("{\"rate\": 1,\n\"adr\": 2}"), nil, []string{`line 2 holds "adr"`}},
		{"config that ends too soon", file("{\"rate\": 1,\n"), nil, []string{"no JSON object", "unexpected"}},
		{"config that is a list", file(`["rate"]`), nil, []string{"no JSON object", "begin with {"}},
		{"config with a comma too many", file("{\n\"rate\": 1,\n}"), nil, []string{"no JSON object", "line 3", "'}'"}},
		{"config with a secret", file(`{"jwt-key": "` + secret + `"}`), nil, []string{"--config", "jwt-key", "ROOMD_JWT_KEY", "jwt-key-file"}},
		{"config with an object", file(`{"addr": {}}`), nil, []string{"--config", `"addr"`}},
		{"config with a list of numbers", file(`{"allow-origin": [1]}`), nil, []string{"--config", `"allow-origin"`, "list"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.args, tt.env, nil)
			mustFail(t, err, tt.says...)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"--help", "-h", "--version"} {
		var out bytes.Buffer
		// A mistake elsewhere must not hide the help that explains it.
		if _, err := Load([]string{arg}, []string{"ROOMD_TYPO=x"}, &out); !errors.Is(err, ErrShown) {
			t.Errorf("%s: %v", arg, err)
		}
		if !strings.Contains(out.String(), "roomd") {
			t.Errorf("%s printed %q", arg, out.String())
		}
	}
	var out bytes.Buffer
	if _, err := Load([]string{"--help"}, nil, &out); !errors.Is(err, ErrShown) {
		t.Fatal(err)
	}
	for _, part := range []string{
		"Browsers and HTTP:", "Login:", "NATS:", "The rooms' log:", "Limits and timing:", "General:", "ROOMD_MAX_MESSAGE", "ROOMD_JWT_KEY",
		`--addr="localhost:3000"`, "--max-message=16KiB", "--[no-]allow-guests", "--config=FILE",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the help does not say %q:\n%s", part, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 {
			t.Errorf("a line of the help is longer than 80: %s", line)
		}
	}
}

// Every flag says what to write instead of a mistake, and belongs to a group.
func TestTagsAreComplete(t *testing.T) {
	var cli flags
	p, err := newParser(&cli, &bytes.Buffer{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Model.Flags {
		if f.Name == "help" || f.Name == "version" {
			continue
		}
		if f.Tag.Get("say") == "" || f.Group == nil || f.Group.Title == f.Group.Key || f.Help == "" {
			t.Errorf("--%s: say %q, group %+v, help %q", f.Name, f.Tag.Get("say"), f.Group, f.Help)
		}
	}
}
