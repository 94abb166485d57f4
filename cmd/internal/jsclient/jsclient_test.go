// Package jsclient runs the tests of session/client/js, which are written in
// JavaScript, in Node: against a real roomd and against the package as npm packs
// it.
package jsclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/client/js"
)

const (
	source = "../../../session/client/js" // where the client is
	// maxGzipped is what a page pays for the client.
	maxGzipped = 10 << 10
	// oldestNode has node --test as we use it, and a WebSocket behind a flag.
	oldestNode = 20
)

func TestSize(t *testing.T) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(js.Client); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > maxGzipped {
		t.Errorf("client.js is %d bytes gzipped; at most %d", packed.Len(), maxGzipped)
	}
}

// TestNode runs the tests that are written in JavaScript.
func TestNode(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(source, "test", "*.test.js"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", source, err)
	}
	client, err := filepath.Abs(filepath.Join(source, "client.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runNode(t, file, "file://"+client) })
	}
}

// runNode runs one file of tests; those in it run one after the other.
func runNode(t *testing.T, file, client string) {
	node, flags := findNode(t)
	server, err := roomd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append(flags, "--test-reporter=spec", file)...)
	cmd.Env = append(os.Environ(), "ROOMD="+server, "CLIENT="+client)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("node %s: %v\n%s", file, err, out)
	} else {
		t.Logf("%s", out)
	}
}

// findNode returns node and the flags with which it has a WebSocket. CI installs
// one and fails when these tests did not run.
func findNode(t *testing.T) (path string, flags []string) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine; .ci/run installs one")
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatalf("ask %s for its version: %v", path, err)
	}
	major, err := strconv.Atoi(strings.SplitN(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".", 2)[0])
	switch {
	case err != nil:
		t.Fatalf("%s says that its version is %q", path, out)
	case major < oldestNode:
		t.Fatalf("node is %s; these tests need %d or newer, which has a WebSocket", bytes.TrimSpace(out), oldestNode)
	case major < 22:
		flags = append(flags, "--experimental-websocket")
	}
	return path, flags
}

// roomd builds the server once.
var roomd = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "roomd")
	out, err := exec.Command("go", "build", "-o", path, "../../roomd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build roomd: %w\n%s", err, out)
	}
	return path, nil
})
