package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Servers to compare with.
const (
	peerEcho          = "echo"
	peerHub           = "hub"
	peerMelody        = "melody"
	peerSocketIO      = "socketio"
	peerSocketIORedis = "socketio-redis"
)

var peerNames = []string{peerEcho, peerHub, peerMelody, peerSocketIO, peerSocketIORedis}

// compresses reports whether a peer has the flag --compress.
func compresses(name string) bool { return name == peerEcho || name == peerHub }

// npmTimeout bounds the download of Socket.IO.
const npmTimeout = 3 * time.Minute

const (
	roomdName  = "roomd"
	modulePath = "github.com/passoncomtw/baccarat-websocket-cluster"
)

// workshop makes programs. Its directory is removed by close.
type workshop struct {
	root string // of the source tree; "": there is none
	dir  string
}

func newWorkshop() (*workshop, error) {
	root, err := sourceRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-programs-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for programs: %w", err)
	}
	return &workshop{root: root, dir: dir}, nil
}

func (w *workshop) close() error { return os.RemoveAll(w.dir) }

// sourceRoot looks for this module from the working directory upwards.
func sourceRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("look for the source tree: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.Contains(append([]byte("\n"), data...), []byte("\nmodule "+modulePath+"\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// roomd is the program at path, or built from the source tree. flags are added
// to those of the bench. Without NATS servers of its own it is one node.
func (w *workshop) roomd(ctx context.Context, path string, flags []string, nodes, nats int) (*program, error) {
	if path == "" {
		if w.root == "" {
			return nil, errors.New("there is no source tree here to build roomd from: name the program with --server, or a running one with --url and --pid")
		}
		var err error
		if path, err = w.build(ctx, w.root, "./cmd/roomd"); err != nil {
			return nil, err
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	p := &program{name: roomdName, dialect: roomdDialect, path: path}
	store := func(at place) []string {
		return []string{"--nats-addr", "127.0.0.1:0", "--store-dir", filepath.Join(at.dir, "store")}
	}
	if nats > 0 {
		c, err := w.nats(ctx, nats)
		if err != nil {
			return nil, err
		}
		p.nodes, p.nats, p.back = max(1, nodes), nats, c.start
		store = func(place) []string { return nil }
		p.env = func(at place) []string { return []string{"ROOMD_NATS_URL=" + at.store} } // it has a password
	}
	p.args = func(at place) []string {
		own := []string{"--addr", at.addr, "--store", "file", "--allow-guests", "--rate", "0", "--rate-bytes", "0", "--room-bytes", "0", "--connect-rate", "0", "--login-rate", "0", "--max-guest-rooms", "0", "--max-connections-per-user", "0", "--drain", "0s", "--log", "json"}
		return slices.Concat(own, store(at), flags)
	}
	return p, nil
}

// peer is one of peerNames. flags are added to those of the bench.
func (w *workshop) peer(ctx context.Context, name string, flags []string) (*program, error) {
	if w.root == "" {
		return nil, errors.New("--against builds the other servers from testdata/peers: run the bench in the source tree")
	}
	peers := filepath.Join(w.root, "testdata", "peers")
	switch name {
	case peerSocketIO:
		return socketIO(ctx, filepath.Join(peers, peerSocketIO)), nil
	case peerSocketIORedis:
		return socketIORedis(ctx, filepath.Join(peers, peerSocketIO)), nil
	}
	path, err := w.build(ctx, peers, "./"+name)
	if err != nil {
		return nil, err
	}
	args := func(at place) []string { return append([]string{"--addr", at.addr}, flags...) }
	d := plainDialect
	if name == peerEcho {
		d = echoDialect
	}
	return &program{name: name, dialect: d, path: path, args: args, stores: storesNothing}, nil
}

func (w *workshop) build(ctx context.Context, dir, pkg string) (string, error) {
	path := filepath.Join(w.dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s in %s: %w\n%s", pkg, dir, err, out)
	}
	return path, nil
}

// socketIO is absent when Node.js, npm or what npm installs is not to be had:
// everything else can still be measured.
func socketIO(ctx context.Context, dir string) *program {
	p := &program{name: peerSocketIO, dialect: socketIODialect, dir: dir, stores: storesNothing}
	node, err := exec.LookPath("node")
	if err != nil {
		p.absent = "no node"
		return p
	}
	if p.absent = npmInstall(ctx, dir); p.absent != "" {
		return p
	}
	p.path = node
	p.args = func(at place) []string { return []string{"server.js", "--addr", at.addr} }
	return p
}

// npmInstall installs what package-lock.json says, unless that is there, and
// says why it cannot.
func npmInstall(ctx context.Context, dir string) (problem string) {
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err.Error()
	}
	installed, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return ""
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "no npm"
	}
	ctx, cancel := context.WithTimeout(ctx, npmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return fmt.Sprintf("npm ci: %v: %s", err, text[strings.LastIndexByte(text, '\n')+1:])
	}
	return ""
}
