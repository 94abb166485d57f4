package jsclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
)

const siteKey = "000102030405060708090a0b0c0d0e0f" // looks like hex, and is text

// TestSite: the site that session/hooks/README.md shows decides who logs in and
// who enters, answers nobody who has not the key, and outlives a request that
// breaks off.
func TestSite(t *testing.T) {
	node, _ := findNode(t)
	text, err := os.ReadFile("../../../session/hooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	if block == nil || !bytes.Contains(block[1], []byte("8000")) {
		t.Fatal("the README shows no site on port 8000")
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err == nil {
		err = l.Close() // the site takes it
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "site.mjs")
	if err := os.WriteFile(file, bytes.ReplaceAll(block[1], []byte("8000"), []byte(port)), 0o600); err != nil {
		t.Fatal(err)
	}
	site := exec.Command(node, file)
	var said bytes.Buffer
	site.Env, site.Stdout, site.Stderr = append(os.Environ(), "ROOMD_HOOK_KEY="+siteKey), &said, &said
	if err := site.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = site.Wait() // says that it was killed
		if status, ok := site.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Errorf("the site ended by itself: %s", site.ProcessState)
		}
		if said.Len() > 0 {
			t.Logf("the site says: %s", &said)
		}
	})

	url := "http://localhost:" + port + "/roomd/"
	asking := func(key string) *hooks.Hooks {
		h, err := hooks.New(nil, hooks.Config{Login: url + "login", Join: url + "join", Headers: []string{"Cookie"}, Key: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
		return h
	}
	h := asking(siteKey)
	login := func(h *hooks.Hooks, cookie string) (auth.Identity, error) {
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		return h.Login(r, "")
	}
	who, err := login(h, "sid=1")
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); who, err = login(h, "sid=1") {
		<-time.After(50 * time.Millisecond) // until it listens
	}
	if err != nil || who.UID != "42" || who.Username != "Alice" {
		t.Fatalf("the login is %+v, %v", who, err)
	}
	breakOff(t, "localhost:"+port)
	for cookie, uid := range map[string]string{"sid=1": "42", "a=b; sid=1": "42", "sid=1; a=b": "42", "a=b;sid=1": "42", "": "", "sid=2": "", "nosid=1": "", "a=sid=1": ""} {
		got, err := login(h, cookie)
		if err != nil || got.UID != uid || got.Guest != (uid == "") {
			t.Errorf("with the cookie %q it is %+v, %v", cookie, got, err)
		}
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	keyless := exec.CommandContext(soon, node, file)
	keyless.Env = append(os.Environ(), "ROOMD_HOOK_KEY=")
	if out, err := keyless.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("Error: set ROOMD_HOOK_KEY")) {
		t.Errorf("without a key it ends with %v: %s", err, out)
	}
	for _, tt := range []struct {
		who  auth.Identity
		room wire.Room
		want wire.Code // "": enters
	}{{who, "vip", ""}, {auth.Identity{UID: "guest-1", Guest: true}, "general", ""}, {auth.Identity{UID: "guest-1", Guest: true}, "vip", wire.Forbidden}} {
		err := h.Join(t.Context(), session.JoinRequest{Who: tt.who, Room: tt.room})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || wire.AsError(err).Code != tt.want) {
			t.Errorf("%s into %s: %v, want %q", tt.who.UID, tt.room, err, tt.want)
		}
	}

	if _, err := login(asking(strings.Repeat("x", 32)), "sid=1"); err == nil || wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("with another key it answers %v", err)
	}
	old := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	for name, signature := range map[string]string{
		"none": "", "old": hooks.Signature([]byte(siteKey), time.Now().Add(-time.Hour), []byte(`{}`)), "no hex": "t=" + old + ",v1=x", "of another body": hooks.Signature([]byte(siteKey), time.Now(), []byte(`{"a":1}`)),
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"join", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(hooks.SignatureHeader, signature)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("a signature that is %s: %s", name, res.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// breakOff sends a part of a request, and waits until the site is done with it.
func breakOff(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /roomd/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) { // a reset is an end as well
		t.Error("the site keeps a request that broke off")
	}
}
