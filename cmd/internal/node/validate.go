package node

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/node/web"
	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// Limits of settings beyond which they would not work as described.
const (
	minHistoryAge   = 3 * time.Minute // duplicate window of the log
	minHistoryBytes = 1 << 20
	minMessage      = 64 // bytes of a useful event
	maxMessage      = 256 << 10
	minPresence     = 10 * time.Millisecond
	minPing         = time.Second
	maxDrain        = time.Hour
	minQueue        = 8 // messages
	minQueueBytes   = 1 << 10
)

// Validate returns the first mistake, as a *FlagError.
func (c Config) Validate() error {
	for _, check := range []func(Config) *FlagError{checkHTTP, checkHooks, checkLogin, checkNATS, checkLog, checkTables, checkLimits, checkTiming, checkGeneral} {
		if mistake := check(c); mistake != nil {
			return mistake
		}
	}
	return nil
}

func wrong(flag, format string, args ...any) *FlagError {
	return &FlagError{Flag: flag, Problem: fmt.Sprintf(format, args...)}
}

func checkHTTP(c Config) *FlagError {
	if err := checkAddr(c.Addr); err != nil {
		return wrong("addr", "%v; write HOST:PORT, such as localhost:3000", err)
	}
	if _, err := auth.ParseOrigins(c.AllowOrigin); err != nil {
		return wrong("allow-origin", "%v", strings.TrimPrefix(err.Error(), "auth: "))
	}
	if _, err := web.ParseImageHosts(c.ImageHost); err != nil {
		return wrong("image-host", "%v", err)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return wrong("tls-cert", "a certificate needs its key; set --tls-cert and --tls-key (%s), or neither", EnvName("tls-key"))
	}
	if c.MetricsAddr != "" && checkAddr(c.MetricsAddr) != nil {
		return wrong("metrics-addr", "%v; write HOST:PORT, such as localhost:9100", checkAddr(c.MetricsAddr))
	}
	if _, err := auth.ParseProxies(c.TrustedProxy); err != nil {
		return wrong("trusted-proxy", "%v", strings.TrimPrefix(err.Error(), "auth: "))
	}
	if strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return wrong(secretSource("api-key", c.APIKeyFile), "the key has spaces or characters outside ASCII, which a header cannot carry; write one without, such as the output of openssl rand -hex 32")
	}
	if c.Drain < 0 || c.Drain > maxDrain {
		return wrong("drain", "%s is out of range; write a duration from 0s to %s", c.Drain, maxDrain)
	}
	if c.DrainDelay != nil && (*c.DrainDelay < 0 || *c.DrainDelay > maxDrain) {
		return wrong("drain-delay", "%s is out of range; write a duration from 0s to %s", *c.DrainDelay, maxDrain)
	}
	return nil
}

// secretSource is the flag that a secret came by: its file, or else its
// variable.
func secretSource(flag, file string) string {
	if file != "" {
		return flag + "-file"
	}
	return flag
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is no address", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", addr)
	}
	return nil
}

// isLoopback reports whether only this machine can connect to addr.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && httpapi.LoopbackHost(host)
}

func checkLogin(c Config) *FlagError {
	if _, _, err := c.guestRights(); err != nil {
		var mistake *FlagError
		errors.As(err, &mistake)
		return mistake
	}
	if !c.checksTokens() {
		if len(c.JWTAudience) > 0 || c.JWTIssuer != "" {
			flag := "jwt-audience"
			if len(c.JWTAudience) == 0 {
				flag = "jwt-issuer"
			}
			return wrong(flag, "it is for users' tokens, and there is no key to check them with; set ROOMD_JWT_KEY, --jwt-key-file FILE or --jwks-url URL, or leave this out")
		}
	}
	if c.JWKSURL != "" {
		if c.JWTKey != "" {
			return wrong("jwks-url", "there is a JWT key as well (%s or --jwt-key-file); keep one of the two", EnvName("jwt-key"))
		}
		if err := auth.CheckKeyURL(c.JWKSURL); err != nil {
			return wrong("jwks-url", "%s", strings.TrimPrefix(err.Error(), "auth: "))
		}
		return nil
	}
	if c.JWTKey != "" {
		if _, err := auth.ParseKey([]byte(c.JWTKey)); err != nil {
			return wrong(secretSource("jwt-key", c.JWTKeyFile), "%s", strings.TrimPrefix(err.Error(), "auth: "))
		}
		return nil
	}
	if c.asksLogin() {
		return nil
	}
	if isLoopback(c.Addr) {
		if !c.Guests() {
			return wrong("allow-guests", "guests are not allowed and there is no JWT key, so nobody could connect; set ROOMD_JWT_KEY, --jwt-key-file FILE or --jwks-url URL, or leave --allow-guests out")
		}
		return nil
	}
	if !c.Guests() {
		return wrong("addr", "%s can be reached from other machines, and nobody would have to log in; set ROOMD_JWT_KEY, --jwt-key-file FILE or --jwks-url URL, or write --allow-guests if everybody may come in", c.Addr)
	}
	return nil
}

func checkNATS(c Config) *FlagError {
	if c.NATSURL == "" {
		for _, f := range []struct{ flag, value string }{
			{"nats-creds", c.NATSCreds}, {"nats-nkey", c.NATSNKey}, {"nats-tls-cert", c.NATSTLSCert}, {"nats-tls-key", c.NATSTLSKey}, {"nats-tls-ca", c.NATSTLSCA},
		} {
			if f.value != "" {
				return wrong(f.flag, "it is for an external NATS, which --nats-url (%s) names; set that too, or leave this out", EnvName("nats-url"))
			}
		}
		if c.NATSAddr == embedded.InProcessOnly {
			return nil
		}
		if err := checkAddr(c.NATSAddr); err != nil {
			return wrong("nats-addr", "%v; write HOST:PORT, such as 127.0.0.1:4222, or - for no port", err)
		}
		return nil
	}
	if (c.NATSTLSCert == "") != (c.NATSTLSKey == "") {
		return wrong("nats-tls-cert", "a client certificate needs its key; set --nats-tls-cert and --nats-tls-key (%s), or neither", EnvName("nats-tls-key"))
	}
	return nil
}

func checkLog(c Config) *FlagError {
	switch {
	case c.Store != storeFile && c.Store != storeMemory:
		return wrong("store", "%q is unknown; write file, or memory to keep nothing", c.Store)
	case c.Store == storeFile && c.NATSURL == "" && c.StoreDir == "":
		return wrong("store-dir", "the directory is empty; write a path such as .roomd, or --store memory to keep nothing")
	case c.StoreDir == "" && c.NATSPasswordFile() != "":
		return wrong("store-dir", "the directory is empty, and the password of the embedded NATS needs a place, with --store memory too; write a path such as .roomd, or --nats-addr - (%s) for a NATS without a port", EnvName("nats-addr"))
	case !c.Sync.Always && c.Sync.Every <= 0:
		return wrong("sync", "%s is too short; write a duration such as 2m, or always", c.Sync)
	case c.Replicas < 0 || c.Replicas > 5:
		return wrong("replicas", "%d is out of range; write a number from 1 to 5, or 0 to choose", c.Replicas)
	case c.Replicas > 1 && c.NATSURL == "":
		return wrong("replicas", "the embedded NATS is one server and keeps one copy; write 1, or name a cluster with --nats-url (%s)", EnvName("nats-url"))
	case c.History < 1:
		return wrong("history", "%d is too small; write a number from 1 up", c.History)
	case c.HistoryAge < minHistoryAge:
		return wrong("history-age", "%s is too short; write a duration from %s up", c.HistoryAge, minHistoryAge)
	case c.HistoryBytes < minHistoryBytes:
		return wrong("history-bytes", "%s is too small; write a size from %s up", c.HistoryBytes, Size(minHistoryBytes))
	case c.InboxBytes < minHistoryBytes:
		return wrong("inbox-bytes", "%s is too small; write a size from %s up", c.InboxBytes, Size(minHistoryBytes))
	case c.TableHistory < 0:
		return wrong("table-history", "%d is negative; write a number such as 10000, or 0 for no limit", c.TableHistory)
	case c.TableBytes < minHistoryBytes:
		return wrong("table-bytes", "%s is too small; write a size from %s up", c.TableBytes, Size(minHistoryBytes))
	}
	return nil
}

func checkLimits(c Config) *FlagError {
	switch {
	case c.MaxMessage < minMessage || c.MaxMessage > maxMessage:
		return wrong("max-message", "%s is out of range; write a size from %s to %s", c.MaxMessage, Size(minMessage), Size(maxMessage))
	case !(c.Rate >= 0) || c.Rate > 1e9: // also not a number
		return wrong("rate", "%v is out of range; write a number such as 20, or 0 for no limit", c.Rate)
	case c.Rate > 0 && c.Burst < 1:
		return wrong("burst", "%d is too small; write a number from 1 up", c.Burst)
	case c.RateBytes < 0:
		return wrong("rate-bytes", "%s is negative; write a size such as 32KiB, or 0 for no limit", c.RateBytes)
	case c.RoomBytes < 0:
		return wrong("room-bytes", "%s is negative; write a size such as 256KiB, or 0 for no limit", c.RoomBytes)
	case !(c.InboxRate >= 0) || c.InboxRate > 1e9:
		return wrong("inbox-rate", "%v is out of range; write a number such as 1, or 0 for no limit", c.InboxRate)
	case !(c.ConnectRate >= 0) || c.ConnectRate > 1e9:
		return wrong("connect-rate", "%v is out of range; write a number such as 20, or 0 for no limit", c.ConnectRate)
	case !(c.LoginRate >= 0) || c.LoginRate > 1e9:
		return wrong("login-rate", "%v is out of range; write a number such as 5, or 0 for no limit", c.LoginRate)
	case c.Memory != 0 && c.Memory < leastBudget:
		return wrong("memory", "%s is too small; write a size from %s up, or 0 for no limit", c.Memory, Size(leastBudget))
	case c.Queue < minQueue:
		return wrong("queue", "%d is too small; write a number from %d up", c.Queue, minQueue)
	case c.QueueBytes < max(minQueueBytes, c.MaxMessage):
		return wrong("queue-bytes", "%s is too small; write a size from %s up, so that it holds a message of --max-message (%s)", c.QueueBytes, max(minQueueBytes, c.MaxMessage), EnvName("max-message"))
	}
	for _, f := range []struct {
		flag  string
		value int
	}{
		{"max-connections", c.MaxConnections}, {"max-connections-per-address", c.MaxConnectionsPerAddress}, {"max-connections-per-user", c.MaxConnectionsPerUser}, {"max-guest-rooms", c.MaxGuestRooms},
	} {
		if f.value < 0 {
			return wrong(f.flag, "%d is negative; write a number, or 0 for none", f.value)
		}
	}
	return nil
}

func checkTiming(c Config) *FlagError {
	switch {
	case c.Ping < minPing:
		return wrong("ping", "%s is too short; write a duration from %s up", c.Ping, minPing)
	case c.PresenceInterval < minPresence:
		return wrong("presence-interval", "%s is too short; write a duration from %s up", c.PresenceInterval, minPresence)
	case c.PresenceGrace < 0:
		return wrong("presence-grace", "%s is negative; write a duration such as 15s, or 0s for none", c.PresenceGrace)
	}
	return nil
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

func checkGeneral(c Config) *FlagError {
	if c.PProf != "" && (checkAddr(c.PProf) != nil || !isLoopback(c.PProf)) {
		return wrong("pprof", "%q is not an address of this machine only; write one such as localhost:6060: profiles show what is in memory", c.PProf)
	}
	if !nodeName.MatchString(c.NodeName) {
		return wrong("node-name", "%q is no name; write up to 64 of the characters a-z A-Z 0-9 _ -", c.NodeName)
	}
	if c.Log != "" && c.Log != logJSON && c.Log != logConsole {
		return wrong("log", "%q is unknown; write json or console, or leave it out", c.Log)
	}
	if level, err := zerolog.ParseLevel(c.LogLevel); err != nil || level < zerolog.DebugLevel || level > zerolog.ErrorLevel {
		return wrong("log-level", "%q is unknown; write debug, info, warn or error", c.LogLevel)
	}
	return nil
}
