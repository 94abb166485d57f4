package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
	"github.com/prometheus/client_golang/prometheus"
)

// strictTransport is the HSTS header, for 30 days only: for so long an expired
// certificate would make a site unreachable.
const strictTransport = "max-age=2592000"

// certificate is the pair of --tls-cert and --tls-key. Its methods may be
// called from any goroutine.
type certificate struct {
	certFile, keyFile string // fixed after start
	current           atomic.Pointer[tls.Certificate]
}

// read reads both files.
func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s with its key %s: %w", c.certFile, c.keyFile, err)
	}
	return &pair, nil
}

// replace reloads the files, and uses the new certificate from the next
// connection on, unless it is worse than the current one.
func (c *certificate) replace() error {
	pair, err := c.read()
	if err != nil {
		return err
	}
	if err := validNow(pair.Leaf); err != nil && validNow(c.current.Load().Leaf) == nil {
		return fmt.Errorf("the certificate %s: %w", c.certFile, err)
	}
	c.current.Store(pair)
	return nil
}

// config is for TLS 1.2 and later, and HTTP/1.1 only: WebSockets of HTTP/2 are
// another protocol, which few clients speak.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		// Records of full size: what is short goes into one anyway, and each
		// one more is a system call.
		DynamicRecordSizingDisabled: true,
		GetCertificate:              func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// startTLS reads the certificate, where there is to be one.
func (n *Node) startTLS(context.Context) error {
	if n.cfg.TLSCert == "" {
		return nil
	}
	n.cert = &certificate{certFile: n.cfg.TLSCert, keyFile: n.cfg.TLSKey}
	pair, err := n.cert.read()
	if err != nil {
		return hint(err, "tls-cert", "both files must be PEM that this user may read, and --tls-key ("+EnvName("tls-key")+") the key of the first certificate")
	}
	n.cert.current.Store(pair)
	n.logCertificate("serving TLS")
	return nil
}

// secured returns listener, with TLS if there is a certificate.
func (n *Node) secured(listener net.Listener) net.Listener {
	if n.cert == nil {
		return listener
	}
	return tls.NewListener(listener, n.cert.config())
}

// rereadOnHangup reloads the certificate at each SIGHUP, until ctx ends.
// Without TLS a SIGHUP, which a service manager sends to reload, is ignored;
// but on a terminal it means that the terminal is gone, and ends the program as
// usual.
func (n *Node) rereadOnHangup(ctx context.Context, hangups chan os.Signal) {
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			n.rereadCertificate()
		case <-ctx.Done():
			return
		}
	}
}

// hangups returns a channel of SIGHUPs, unless these are to end the program.
func (n *Node) hangups() chan os.Signal {
	hangups := make(chan os.Signal, 1)
	if n.cert != nil || !isTerminal(os.Stdin) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	return hangups
}

func (n *Node) rereadCertificate() {
	if n.cert == nil {
		n.log.Info().Msg("SIGHUP: there is no certificate to read again (--tls-cert); everything goes on as it was")
		return
	}
	if err := n.cert.replace(); err != nil {
		n.log.Error().Err(err).Time("not_after", n.cert.current.Load().Leaf.NotAfter).
			Msg("the certificate was not replaced; new connections get the one from before. Mend the files (--tls-cert, --tls-key) and send SIGHUP again")
		return
	}
	n.logCertificate("the certificate was read again")
}

func (n *Node) logCertificate(what string) {
	leaf := n.cert.current.Load().Leaf
	entry := n.log.Info()
	if err := validNow(leaf); err != nil {
		entry = n.log.Warn().Err(err)
	}
	entry.Strs("names", slices.Concat(leaf.DNSNames, texts(leaf.IPAddresses))).Str("serial", leaf.SerialNumber.Text(16)).
		Time("not_after", leaf.NotAfter).Msg(what)
}

func texts(addresses []net.IP) (list []string) {
	for _, ip := range addresses {
		list = append(list, ip.String())
	}
	return list
}

func validNow(leaf *x509.Certificate) error {
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		return errors.New("the certificate has expired: clients will refuse it")
	case now.Before(leaf.NotBefore):
		return errors.New("the certificate is not valid yet: clients will refuse it")
	}
	return nil
}

// expiry shows until when the certificate in use is valid.
func (c *certificate) expiry() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "roomd_tls_not_after_seconds", Help: "When the TLS certificate in use expires, in seconds since 1970.",
	}, func() float64 { return float64(c.current.Load().Leaf.NotAfter.Unix()) })
}

// strict sets the HSTS header. It applies to all ports of a host, so it is set
// only on port 443, and not for localhost, where there are other programs.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			host, port = r.Host, "443"
		}
		if r.TLS != nil && port == "443" && !httpapi.LoopbackHost(host) {
			w.Header().Set("Strict-Transport-Security", strictTransport)
		}
		next.ServeHTTP(w, r)
	})
}
