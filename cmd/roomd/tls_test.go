package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/testcert"
)

// certify writes a certificate of 127.0.0.1 that signs itself, and its key, and has roots trust it.
func certify(t *testing.T, certFile, keyFile string, serial int64, roots *x509.CertPool) {
	t.Helper()
	pair := testcert.New(t, serial, time.Now().Add(time.Hour))
	for path, content := range map[string][]byte{certFile: pair.Cert, keyFile: pair.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots.AppendCertsFromPEM(pair.Cert)
}

// SIGHUP has the certificate read again: new connections get it, those that are there go on, and a bad one changes
// nothing but the log.
func TestHangupReadsTheCertificateAgain(t *testing.T) {
	dir, roots := t.TempDir(), x509.NewCertPool()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(t, cert, key, 1, roots)
	p := start(t, "--store=memory", "--tls-cert", cert, "--tls-key", key)
	addr, secure := strings.CutPrefix(p.url, "https://")
	if !secure {
		t.Fatalf("the address is %s, want https", p.url)
	}
	connect := func() *tls.Conn {
		t.Helper()
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	serial := func() int64 {
		conn := connect()
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	hangUp := func(says ...string) {
		t.Helper()
		before := len(p.said())
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for _, part := range says {
			p.waitForAfter(t, before, part)
		}
	}

	old := connect()
	in := bufio.NewReader(old)
	_, err := io.WriteString(old, "GET /ws HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no WebSocket: %+v %v", resp, err)
	}
	waitFor := func(text string) {
		t.Helper()
		for got := ""; !strings.Contains(got, text); {
			part, err := in.ReadString('}')
			if err != nil {
				t.Fatalf("waiting for %s: %v", text, err)
			}
			got = part
		}
	}
	waitFor(`"type":"welcome"`)

	if got := serial(); got != 1 {
		t.Fatalf("the certificate is %d", got)
	}
	certify(t, cert, key, 2, roots)
	hangUp("the certificate was read again", `"serial":"2"`)
	if got := serial(); got != 2 {
		t.Errorf("after SIGHUP the certificate is %d, want 2", got)
	}
	certify(t, filepath.Join(dir, "other.pem"), key, 3, roots) // the key of another certificate
	hangUp("the certificate was not replaced", "does not match", cert, key)
	if got := serial(); got != 2 {
		t.Errorf("after a SIGHUP with a bad pair the certificate is %d, want 2", got)
	}
	// {"type":"heartbeat"}, masked with zeros
	if _, err := old.Write(append([]byte{0x81, 0x80 | 20, 0, 0, 0, 0}, `{"type":"heartbeat"}`...)); err != nil {
		t.Fatal(err)
	}
	waitFor(`"type":"heartbeat"`)

	old.Close()
	p.interrupt(t)
	p.wantStatus(t, 0)
	fails(t, []string{"--addr=127.0.0.1:0", "--nats-addr=-", "--store=memory", "--tls-cert", cert, "--tls-key", key}, "--tls-cert", "--tls-key", "does not match")
}

// Without a certificate there is nothing to read again, and the program goes on.
func TestHangupWithoutACertificate(t *testing.T) {
	p := start(t, "--store=memory")
	before := len(p.said())
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.waitForAfter(t, before, "there is no certificate to read again")
	p.readiness(t, http.StatusOK)
}
