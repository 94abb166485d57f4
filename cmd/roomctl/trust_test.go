package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every command that connects goes over TLS, and trusts whom --tls-ca says and nobody else.
func TestOverTLS(t *testing.T) {
	m, env := startServer(t)
	web := httptest.NewTLSServer(m)
	defer web.Close()
	defer m.Close()
	url := "wss" + strings.TrimPrefix(web.URL, "https") + "/ws"
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	user := as(t, env, "alice")
	if _, err := call(t, user, "send", "general", "hi", "--url", url); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	if out, err := call(t, user, "send", "general", "hi", "--url", url, "--tls-ca", ca); err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("send: %q, %v", out, err)
	}
	if out, err := call(t, append(user, "ROOMCTL_TLS_CA="+ca), "history", "general", "--url", url); err != nil || !strings.Contains(out, "hi") {
		t.Errorf("history: %q, %v", out, err)
	}
	if out, err := call(t, []string{verifyKeyVariable + "=" + secret}, "verify", "--url", url, "--rate", "20", "--duration", "1s", "--tls-ca", ca); err != nil || !strings.Contains(out, "\nHELD: ") {
		t.Errorf("verify: %s, %v", out, err)
	}
}
