package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/testcert"
)

// Every command that connects goes over TLS, and trusts whom --tls-ca says and nobody else.
func TestOverTLS(t *testing.T) {
	dir := t.TempDir()
	ca, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.pem")
	pair := testcert.New(t, 1, time.Now().Add(time.Hour))
	for path, text := range map[string][]byte{ca: pair.Cert, keyFile: pair.Key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, url := startNode(t, "wss", "--tls-cert", ca, "--tls-key", keyFile)
	user := as(t, []string{"ROOMCTL_URL=" + url, apiKeyVariable + "=" + apiKey}, "alice")
	for _, args := range [][]string{{"send", "general", "hi"}, {"history", "general"}, {"members", "general"}, {"verify", "--wait", "1h"}} {
		if _, err := call(t, user, args...); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s at a server that nobody vouches for: %v", args[0], err)
		}
	}
	if out, err := call(t, user, "send", "general", "hi", "--tls-ca", ca); err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("send: %q, %v", out, err)
	}
	if out, err := call(t, append(user, "ROOMCTL_TLS_CA="+ca), "history", "general"); err != nil || !strings.Contains(out, "hi") {
		t.Errorf("history: %q, %v", out, err)
	}
	out, err := call(t, append(user, verifyKeyVariable+"="+secret), "verify", "--rate", "20", "--duration", "1s", "--tls-ca", ca)
	if err != nil || !strings.Contains(out, "\nHELD: ") {
		t.Errorf("verify: %s, %v", out, err)
	}
}
