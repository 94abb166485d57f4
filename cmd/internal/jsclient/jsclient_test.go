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
	"slices"
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
	// oldestNode is Debian 12's. Up to 19 it has no WebSocket, and the tests take
	// the package ws; in 20 and 21 there is one behind a flag.
	oldestNode = 18
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

// TestPackage imports what npm packs, by its name, as a user's program does.
func TestPackage(t *testing.T) {
	folder := unpack(t)
	entry := filepath.Join(folder, "entry.mjs")
	if err := os.WriteFile(entry, []byte(`export * from "roomd-client";`), 0o600); err != nil {
		t.Fatal(err)
	}
	runNode(t, filepath.Join(source, "test", "rooms.test.js"), "file://"+entry)
}

// TestTypes compiles a program against the types of the package, and what they must refuse, and what the README shows.
func TestTypes(t *testing.T) {
	tsc, err := exec.LookPath("tsc")
	if err != nil {
		t.Skip("no tsc on this machine; .ci/run installs one")
	}
	folder := unpack(t)
	program, err := os.ReadFile(filepath.Join(source, "test", "types.ts"))
	if err != nil {
		t.Fatal(err)
	}
	// An ES module, which alone may import one.
	if err := os.WriteFile(filepath.Join(folder, "types.mts"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(source, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "```ts\n")
	shown, _, found := strings.Cut(shown, "```")
	if !found {
		t.Fatal("the README shows no types")
	}
	shown = "import { connect } from \"roomd-client\";\nconst url = \"ws://localhost:3000/ws\";\n" + shown
	if err := os.WriteFile(filepath.Join(folder, "readme.mts"), []byte(shown), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom",
		"--module", "nodenext", "--moduleResolution", "nodenext", "types.mts", "readme.mts")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}

// unpack makes a folder in which the package that npm packs is installed.
func unpack(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("no npm on this machine; .ci/run installs one")
	}
	folder := t.TempDir()
	pack := exec.CommandContext(t.Context(), npm, "pack", "--silent", "--pack-destination", folder)
	pack.Dir = source
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("npm pack: %v\n%s", err, out)
	}
	tarballs, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		t.Fatalf("npm pack made %v: %v", tarballs, err)
	}
	installed := filepath.Join(folder, "node_modules", "roomd-client")
	if err := os.MkdirAll(installed, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xzf", tarballs[0], "-C", installed, "--strip-components=1").CombinedOutput(); err != nil {
		t.Fatalf("unpack %s: %v\n%s", tarballs[0], err, out)
	}
	checkFiles(t, installed)
	return folder
}

// checkFiles: nothing of the repository is packed by mistake, and types come first, or TypeScript does not look at them.
func checkFiles(t *testing.T, installed string) {
	t.Helper()
	entries, err := os.ReadDir(installed)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"README.md", "client.js", "index.d.ts", "package.json"}; !slices.Equal(names, want) {
		t.Errorf("the package holds %v, want %v", names, want)
	}
	manifest, err := os.ReadFile(filepath.Join(installed, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	types, code := bytes.Index(manifest, []byte(`"types":`)), bytes.Index(manifest, []byte(`"default":`))
	if exports := bytes.Index(manifest, []byte(`"exports":`)); exports < 0 || types < exports || code < types {
		t.Errorf("in exports, types must stand before default:\n%s", manifest)
	}
}

// runNode runs one file of tests; those in it run one after the other.
func runNode(t *testing.T, file, client string) {
	node, flags := findNode(t)
	server, err := roomd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append(flags, "--test-reporter=spec", file)...)
	cmd.Env = append(os.Environ(), "ROOMD="+server, "CLIENT="+client)
	if os.Getenv("NODE_PATH") == "" {
		cmd.Env = append(cmd.Env, "NODE_PATH=/usr/share/nodejs") // where Debian has ws
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("node %s: %v\n%s", file, err, out)
	} else {
		t.Logf("%s", out)
	}
}

// findNode returns node and the flags that it needs. CI installs one and fails
// when these tests did not run.
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
		t.Fatalf("node is %s; these tests need %d or newer", bytes.TrimSpace(out), oldestNode)
	case major >= 20 && major < 22:
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
