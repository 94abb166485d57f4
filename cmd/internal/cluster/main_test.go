//go:build unix

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if dir := built.dir; dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// How long the faults are: ROOMD_FAULTS=short or full.
const faultsVariable = "ROOMD_FAULTS"

// faults skips a test that takes long, unless it was asked for, and returns
// how long its fault lasts.
func faults(t *testing.T, short, full time.Duration) time.Duration {
	t.Helper()
	switch mode := os.Getenv(faultsVariable); mode {
	case "":
		t.Skipf("takes long; run it with %s=short (or full) go test -count=1 -v -timeout 60m ./cmd/internal/cluster", faultsVariable)
	case "short":
		return short
	case "full":
		return full
	default:
		t.Fatalf("%s is %q; use short or full", faultsVariable, mode)
	}
	return 0
}

// beside lets a test that mostly waits run beside others in a short run. In a full
// run each has the machine to itself, as figures are taken from it; and so do,
// always, those that bound a time or keep the machine busy.
func beside(t *testing.T) {
	t.Helper()
	if os.Getenv(faultsVariable) == "short" {
		t.Parallel()
	}
}

// built are the programs, each built once per run.
var built struct {
	sync.Mutex
	dir string
}

// program returns the path of a program, built from its package.
func program(t *testing.T, pkg string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "roomd-cluster-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	path := filepath.Join(built.dir, filepath.Base(pkg))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return path
}

const module = "github.com/passoncomtw/baccarat-websocket-cluster"

func roomdProgram(t *testing.T) string   { return program(t, module+"/cmd/roomd") }
func roomctlProgram(t *testing.T) string { return program(t, module+"/cmd/roomctl") }

// natsProgram is named by its directory v2 otherwise.
func natsProgram(t *testing.T) string {
	t.Helper()
	return program(t, "github.com/nats-io/nats-server/v2")
}
