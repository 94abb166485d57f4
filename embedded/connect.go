package embedded

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Options that every connection has.
const (
	// PingInterval is how often a connection is pinged; after PingsMissed
	// unanswered pings it is closed and reconnects.
	PingInterval = 5 * time.Second
	PingsMissed  = 2
	// ReconnectWait is the pause before the same server is tried again; up to
	// ReconnectJitter is added, so that the nodes of a cluster do not reconnect
	// all at once.
	ReconnectWait   = 500 * time.Millisecond
	ReconnectJitter = 500 * time.Millisecond
	// ConnectTimeout bounds one attempt to connect to one server.
	ConnectTimeout = 5 * time.Second
)

// Remote describes an external NATS server or cluster. Files are read by
// Connect and, where NATS allows it (credentials), again on every reconnect, so
// that they can be renewed in place.
type Remote struct {
	// URL is one or more server URLs, separated by commas: nats://host:4222,
	// tls://host:4222. It may carry user:password@ or token@. Required.
	URL string

	// Creds is the path of a .creds file (JWT and key).
	Creds string

	// NKey is the path of a file with an NKey seed.
	NKey string

	// TLSCert and TLSKey are the paths of a client certificate and its key in
	// PEM; give both or none.
	TLSCert, TLSKey string

	// TLSCA is the path of a PEM file with the authorities (CA) that the server's
	// certificate is verified against; "" uses the system's.
	TLSCA string

	// Log receives disconnects, reconnects and asynchronous errors. The zero
	// Logger discards them.
	Log zerolog.Logger
}

// Connect returns a connection named name. The first attempt must succeed, so
// that a wrong address or password is noticed at the start; else the error is a
// *ConnectError. From then on the connection is pinged every PingInterval,
// closed after PingsMissed unanswered pings, and reconnects for ever, whatever
// the server answers. Disconnects, reconnects and asynchronous errors are
// logged once each; opts are applied last, so a caller that sets one of those
// handlers replaces the logging too.
func (r Remote) Connect(name string, opts ...nats.Option) (*nats.Conn, error) {
	shown := redact(r.URL)
	own, err := r.options()
	if err != nil {
		return nil, &ConnectError{URL: shown, Err: err}
	}
	all := append(commonOptions(name, r.Log), own...)
	nc, err := nats.Connect(r.URL, append(all, opts...)...)
	if err != nil {
		return nil, &ConnectError{URL: shown, Err: err}
	}
	return nc, nil
}

// options checks what can be checked without a connection: the errors of
// nats.go itself name no file, or show the password.
func (r Remote) options() ([]nats.Option, error) {
	if err := checkURLs(r.URL); err != nil {
		return nil, err
	}
	var opts []nats.Option
	if r.Creds != "" {
		if _, err := os.Stat(r.Creds); err != nil {
			return nil, fmt.Errorf("credentials file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(r.Creds))
	}
	if r.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(r.NKey)
		if err != nil {
			return nil, fmt.Errorf("NKey seed file %s: %w", r.NKey, err)
		}
		opts = append(opts, opt)
	}
	if (r.TLSCert == "") != (r.TLSKey == "") {
		return nil, errors.New("a client certificate needs both the certificate file and the key file")
	}
	if r.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(r.TLSCert, r.TLSKey); err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", r.TLSCert, r.TLSKey, err)
		}
		opts = append(opts, nats.ClientCert(r.TLSCert, r.TLSKey))
	}
	if r.TLSCA != "" {
		pem, err := os.ReadFile(r.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("TLS authorities: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS authorities: %s holds no PEM certificate", r.TLSCA)
		}
		opts = append(opts, nats.RootCAs(r.TLSCA))
	}
	return opts, nil
}

func checkURLs(list string) error {
	for i, text := range strings.Split(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			return errors.New("a URL is empty; expected one like nats://host:4222, several separated by commas")
		}
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" {
			// The parser's error shows the whole URL, with its password.
			return fmt.Errorf("URL %d of the list is malformed; expected one like nats://host:4222", i+1)
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("URL %d of the list has the scheme %q; expected nats, tls, ws or wss", i+1, u.Scheme)
		}
	}
	return nil
}

// redact hides what stands before the @ of each URL, even of a malformed one: a
// token stands where a user name would.
func redact(list string) string {
	urls := strings.Split(list, ",")
	for i, text := range urls {
		scheme, rest, found := strings.Cut(text, "://")
		if !found {
			scheme, rest = "", text
		} else {
			scheme += "://"
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = "…" + rest[at:]
		} else if _, err := url.Parse("nats://" + rest); err != nil {
			rest = "…" // such as the first half of a password with a comma in it
		}
		urls[i] = scheme + rest
	}
	return strings.Join(urls, ",")
}

// connectHint tells the reader of the error what to do about a failed first
// connection.
func connectHint(err error) string {
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return " (is it running, and is the address right?)"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return " (check the user and password or token in the URL, or the credentials file)"
	}
	return ""
}

// commonOptions are the options of every connection of this program.
func commonOptions(name string, log zerolog.Logger) []nats.Option {
	log = log.With().Str("component", "nats").Str("connection", name).Logger()
	return []nats.Option{
		nats.Name(name),
		nats.Timeout(ConnectTimeout),
		nats.PingInterval(PingInterval),
		nats.MaxPingsOutstanding(PingsMissed),
		nats.RetryOnFailedConnect(false),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(ReconnectWait),
		nats.ReconnectJitter(ReconnectJitter, ReconnectJitter),
		// Else the same authorization error twice, as from a server that has not
		// loaded its accounts yet, closes the connection for good.
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: closed by the program
				log.Warn().Err(err).Msg("NATS connection lost, reconnecting")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info().Str("url", nc.ConnectedUrlRedacted()).Msg("NATS connection is back")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			event := log.Error().Err(err)
			if sub != nil {
				event = event.Str("subject", sub.Subject)
			}
			event.Msg("NATS connection error")
		}),
	}
}
