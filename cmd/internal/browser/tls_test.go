package browser

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// The page and its WebSocket over TLS, under a policy that names wss: and not ws:.
func TestPageOverTLS(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.useTLS(t)
	server.start()
	browser := newBrowser(t, path, chromedp.Flag("ignore-certificate-errors", true)) // no authority has signed it
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())
	percy.say("is this private?")
	olga.hears("is this private?")
	olga.say("as private as TLS")
	percy.hears("as private as TLS")
	for _, w := range []*window{percy, olga} {
		w.until("the page came over TLS", `location.protocol === "https:" && performance.getEntriesByType("navigation")[0].nextHopProtocol === "http/1.1"`)
		w.content(t)
	}
}

// useTLS gives the server a certificate that nobody vouches for: the one of httptest.
func (r *roomd) useTLS(t *testing.T) {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.args = append(r.args, "--tls-cert", cert, "--tls-key", keyFile)
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	r.scheme = "https://"
}
