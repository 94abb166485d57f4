// Package house keeps the arrows between the packages pointing down.
package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const module = "github.com/passoncomtw/baccarat-websocket-cluster/"

// layers are the packages of this module from the bottom up. A package may
// import those of the layers below its own, and in its own only what is named
// in sideways.
var layers = [][]string{
	{"actor", "embedded", "embedded/smalldisk", "cmd/internal/testcert", "cmd/internal/cli", "cmd/internal/verify/book", "rooms/presence", "rooms/follow", "rooms/lobby", "rooms/table", "session/internal/budget", "session/client/js"},
	{"rooms/wire", "rooms/baccarat", "rooms/table/tabletest"},
	{"rooms/eventlog", "session/auth"},
	{"rooms", "session/auth/store", "session/internal/socket"},
	{"session", "session/client"},
	{"session/hooks", "session/httpapi"},
	{"cmd/internal/node/web", "cmd/internal/bench", "cmd/internal/verify"},
	{"cmd/internal/node"},
	{"cmd/roomd", "cmd/roomctl", "cmd/roombench"},
}

// testsOnly are packages that hold nothing but tests of the whole.
var testsOnly = []string{"cmd/internal/house", "cmd/internal/browser", "cmd/internal/cluster", "cmd/internal/hostile", "cmd/internal/jsclient", "cmd/internal/readme"}

// forbidden says which imports are left to which packages, and why.
var forbidden = []struct {
	path   string // of an import, or its beginning with a slash at the end
	only   []string
	reason string
}{
	{"github.com/gorilla/websocket", []string{"session", "session/internal/socket", "session/client"},
		"what a WebSocket is, only sessions know; rooms deliver bytes to members"},
	{"github.com/nats-io/nats-server/", []string{"embedded"},
		"an external cluster must be able to replace the embedded server without anybody noticing"},
	{"github.com/nats-io/nats.go", []string{"rooms", "rooms/eventlog", "session/auth/store", "session/hooks", "embedded"},
		"above the engine nobody knows by what the nodes are connected"},
	{"github.com/golang-jwt/", []string{"session/auth"},
		"tokens are understood in one place, so that an algorithm is pinned in one place"},
	{"github.com/prometheus/", []string{"cmd/internal/node"},
		"libraries count in atomics; how that is shown is the program's choice"},
	{"github.com/alecthomas/kong", []string{"cmd/internal/node", "cmd/roomd", "cmd/roomctl", "cmd/roombench"},
		"flags and environment are read at the top only; packages take a Config"},
	{module + "cmd/internal/bench", []string{"cmd/roombench"},
		"it builds servers from a source tree, and an operator has none"},
	{"github.com/rs/zerolog/log", nil,
		"the logger is passed in, never global"},
	{"net/http", []string{"session", "session/internal/socket", "session/auth", "session/client", "session/hooks", "session/httpapi", "cmd/internal/node", "cmd/internal/node/web", "cmd/internal/verify", "cmd/roomd", "cmd/roomctl"},
		"the engine serves members, not requests"},
}

// pure packages have no clock, no goroutine and no I/O, so they import none of
// these.
var (
	pure   = []string{"rooms/wire", "rooms/presence", "rooms/follow", "rooms/lobby", "rooms/table", "rooms/baccarat", "cmd/internal/verify/book"}
	impure = []string{"net", "net/http", "os", "context", "sync", "math/rand", "math/rand/v2", "crypto/rand"}
)

// actorsOwn: actor is standard library only, as if it were published alone.
const standardOnly = "actor"

type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../../.."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		packages = append(packages, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return packages
}

func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
}

func TestArrowsPointDown(t *testing.T) {
	seen := 0
	for _, p := range list(t) {
		layer := layerOf(p.ImportPath)
		if layer < 0 {
			if !slices.Contains(testsOnly, p.ImportPath) {
				t.Errorf("%s is in no layer; give it a place in the house", p.ImportPath)
			}
			continue
		}
		seen++
		for _, imp := range p.Imports {
			own, ok := strings.CutPrefix(imp, module)
			if ok && layerOf(own) >= layer {
				t.Errorf("%s imports %s: arrows point down only", p.ImportPath, own)
			}
		}
	}
	if seen < 8 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}

func TestForbiddenImports(t *testing.T) {
	used := make([]bool, len(forbidden))
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			for i, rule := range forbidden {
				if imp != strings.TrimSuffix(rule.path, "/") && !strings.HasPrefix(imp, strings.TrimSuffix(rule.path, "/")+"/") {
					continue
				}
				used[i] = true
				if !slices.Contains(rule.only, p.ImportPath) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, rule.reason)
				}
			}
		}
	}
	for i, rule := range forbidden {
		if !used[i] && rule.only != nil {
			t.Errorf("nobody imports %s: the rule guards nothing, remove it", rule.path)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			if slices.Contains(pure, p.ImportPath) && slices.Contains(impure, imp) {
				t.Errorf("%s imports %s: it must stay pure, so that it can be tested by tables alone", p.ImportPath, imp)
			}
			if p.ImportPath == standardOnly && strings.Contains(imp, ".") {
				t.Errorf("%s imports %s: it must need the standard library only", p.ImportPath, imp)
			}
		}
	}
}

// roomctl works over HTTP and WebSocket, from machines that have no business with NATS.
func TestOperatorsToolHasNoNATS(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/roomctl")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"session/auth") {
		t.Fatal("cmd/roomctl does not need session/auth any more; see whether this test shows something")
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "github.com/nats-io/") {
			t.Errorf("cmd/roomctl links %s; find out through which package: go list -deps -f '{{.ImportPath}}: {{.Imports}}' ./cmd/roomctl", dep)
		}
	}
}
