package hooks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// authority signs certificates of sites.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// trusted is the authority of an operator's own that this process knows by
// SSL_CERT_FILE, as roomd would: TestMain sets it before anything asks for the
// system's authorities, which are read once.
var trusted authority

// trustOne makes trusted, and returns how to remove its file.
func trustOne() (func(), error) {
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "roomd-hooks-")
	if err != nil {
		return nil, err
	}
	trusted = a
	file := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	return func() {
		if err := os.RemoveAll(dir); err != nil {
			log.Print(err)
		}
	}, errors.Join(os.WriteFile(file, text, 0o600), os.Setenv("SSL_CERT_FILE", file))
}

func newAuthority() (a authority, err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return a, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return a, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// certify makes the certificate of a site at an address.
func (a authority) certify(t *testing.T, ip string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.ParseIP(ip)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// allowedStreams is how many requests a site takes at once on one connection of
// HTTP/2; servers take 100 or more.
const allowedStreams = 10

// secureSite answers over TLS, and HTTP/2 where wanted.
func secureSite(t *testing.T, cert tls.Certificate, http2 bool, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = http2
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: allowedStreams}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // that handshakes fail is what some tests want
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func yes(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) }

// A site with a certificate of the operator's own authority is asked; one whose
// certificate is not in order says nothing about the client, and the log why.
func TestOverTLS(t *testing.T) {
	stranger, err := newAuthority()
	must(t, err)
	later := time.Now().Add(time.Hour)
	plain := httptest.NewServer(http.HandlerFunc(yes))
	t.Cleanup(plain.Close)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and no more
	must(t, err)
	t.Cleanup(func() { must(t, mute.Close()) })
	for name, tt := range map[string]struct {
		url  string
		says []string // nothing: it is asked
	}{
		"HTTP/1.1":          {url: secureSite(t, trusted.certify(t, "127.0.0.1", later), false, yes).URL},
		"HTTP/2":            {url: secureSite(t, trusted.certify(t, "127.0.0.1", later), true, yes).URL},
		"expired":           {secureSite(t, trusted.certify(t, "127.0.0.1", time.Now().Add(-time.Hour)), true, yes).URL, []string{"certificate has expired"}},
		"another host":      {secureSite(t, trusted.certify(t, "192.0.2.1", later), true, yes).URL, []string{"certificate is valid for 192.0.2.1, not 127.0.0.1"}},
		"unknown authority": {secureSite(t, stranger.certify(t, "127.0.0.1", later), true, yes).URL, []string{"unknown authority", "SSL_CERT_FILE"}},
		"no TLS":            {"https" + strings.TrimPrefix(plain.URL, "http"), []string{"HTTP response to HTTPS client"}},
		"no handshake":      {"https://" + mute.Addr().String(), []string{"ask the URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			ask := func() error {
				said.Reset()
				h, err := New(nil, Config{Join: tt.url + "/join?secret=x", Key: key, Log: zerolog.New(&said)})
				must(t, err)
				defer func() { must(t, h.Close()) }()
				if err = h.Join(t.Context(), joinOf("ann", "r")); err != nil {
					same(t, "JoinFailed", h.Stats().JoinFailed.Load(), 1)
				}
				return err
			}
			var err error
			eventually(t, "an answer within Timeout, on a machine that may be slow", func() bool {
				err = ask()
				return name == "no handshake" || !strings.Contains(said.String(), context.DeadlineExceeded.Error())
			})
			if len(tt.says) == 0 {
				must(t, err)
				return
			}
			mustRefuse(t, name, err, wire.Unavailable)
			for _, part := range append(tt.says, `"hook":"join"`, "clients are told to try again") {
				if !strings.Contains(said.String(), part) {
					t.Errorf("the log does not say %q: %s", part, &said)
				}
			}
			if strings.Contains(said.String(), "secret") {
				t.Errorf("the log has the query: %s", &said)
			}
		})
	}
}

// More questions at once than a server allows on one connection are answered
// over HTTP/2, too.
func TestManyQuestionsOverHTTP2(t *testing.T) {
	const many = allowedStreams + 5
	var mu sync.Mutex
	under, all := 0, make(chan struct{})
	s := secureSite(t, trusted.certify(t, "127.0.0.1", time.Now().Add(time.Hour)), true, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if under++; under == many {
			close(all)
		}
		here := all
		mu.Unlock()
		select {
		case <-here: // nobody is answered before all have asked
			yes(w, r)
		case <-r.Context().Done():
		}
	})
	h, err := New(nil, Config{Join: s.URL, Key: key, Log: quiet})
	must(t, err)
	defer func() { must(t, h.Close()) }()
	// On a slow machine the first rounds only make the connections.
	eventually(t, "a round of questions in which all are answered within Timeout", func() bool {
		mu.Lock()
		under, all = 0, make(chan struct{})
		mu.Unlock()
		var asking sync.WaitGroup
		var failed atomic.Int64
		for i := range many {
			asking.Go(func() {
				if h.Join(t.Context(), joinOf(fmt.Sprint(i), "r")) != nil {
					failed.Add(1)
				}
			})
		}
		asking.Wait()
		return failed.Load() == 0
	})
}

// relay passes bytes on to a site. Connections that are frozen stay open and
// carry nothing any more, as when the way to a host is gone.
type relay struct {
	net.Listener
	to  string
	all sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	dead  []*atomic.Bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{Listener: l, to: to}
	r.all.Go(r.run)
	t.Cleanup(func() {
		must(t, r.Close())
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close() // the other side may have
		}
		r.mu.Unlock()
		r.all.Wait()
	})
	return r
}

func (r *relay) run() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		site, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = client.Close() // which the hook counts as failed
			continue
		}
		dead := &atomic.Bool{}
		r.mu.Lock()
		r.conns, r.dead = append(r.conns, client, site), append(r.dead, dead)
		r.mu.Unlock()
		r.all.Go(func() { pump(client, site, dead) })
		r.all.Go(func() { pump(site, client, dead) })
	}
}

func pump(from, to net.Conn, dead *atomic.Bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if !dead.Load() {
			if n > 0 {
				_, _ = to.Write(buffer[:n]) // if that fails the next read ends it
			}
			if err != nil {
				_ = to.Close()
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, dead := range r.dead {
		dead.Store(true)
	}
}

// A connection on which nothing comes any more is given up, and the site asked
// over a new one: with HTTP/2 a question that times out does not close it.
func TestAConnectionGoesSilent(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			s := secureSite(t, trusted.certify(t, "127.0.0.1", time.Now().Add(time.Hour)), http2, yes)
			way := newRelay(t, s.Listener.Addr().String())
			h, err := New(nil, Config{Join: "https://" + way.Addr().String(), Key: key, Log: quiet})
			must(t, err)
			defer func() { must(t, h.Close()) }()
			eventually(t, "the site answers", func() bool { return h.Join(t.Context(), joinOf("ann", "r")) == nil })
			way.freeze()
			eventually(t, "it is asked over a new connection", func() bool { return h.Join(t.Context(), joinOf("ann", "r")) == nil })
		})
	}
}
