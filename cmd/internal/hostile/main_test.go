//go:build linux

// Package hostile attacks the real program from outside, as its users could,
// and measures meanwhile what somebody in another room feels of it.
package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// How long the attacks are: ROOMD_HOSTILE is full for the lengths of the
// README's table; unset, each takes some seconds.
const variable = "ROOMD_HOSTILE"

// ROOMD_HOSTILE_PROGRAM names another roomd to attack, such as an older one:
// flags that it does not know are left out, and what does not hold is told and
// fails nothing.
const programVariable = "ROOMD_HOSTILE_PROGRAM"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(variable); mode {
	case "", "full":
	default:
		fmt.Fprintf(os.Stderr, "%s is %q; use full, or unset it\n", variable, mode)
		os.Exit(2)
	}
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
	printTable(os.Stdout)
	os.Exit(code)
}

func inFull() bool { return os.Getenv(variable) == "full" }

// lasts is how long an attack goes on.
func lasts(short, full time.Duration) time.Duration {
	if inFull() {
		return full
	}
	return short
}

// older reports whether another program than the present one is attacked.
func older() bool { return os.Getenv(programVariable) != "" }

// built is the program and what it says of its flags.
var built struct {
	sync.Mutex
	dir, path, help string
}

const module = "github.com/passoncomtw/baccarat-websocket-cluster"

// program returns the path of the roomd to attack and its --help.
func program(t *testing.T) (path, help string) {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.path != "" {
		return built.path, built.help
	}
	path = os.Getenv(programVariable)
	if path == "" {
		dir, err := os.MkdirTemp("", "roomd-hostile-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, path = dir, filepath.Join(dir, "roomd")
		if out, err := exec.Command("go", "build", "-o", path, module+"/cmd/roomd").CombinedOutput(); err != nil {
			t.Fatalf("build roomd: %v\n%s", err, out)
		}
	}
	out, err := exec.Command(path, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", path, err, out)
	}
	built.path, built.help = path, string(out)
	return built.path, built.help
}

// known leaves out the flags that an older program does not have. A flag and
// its value are one argument: --name=value.
func known(help string, flags []string) (kept []string) {
	for _, flag := range flags {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.Replace(flag, "--no-", "--", 1), "--"), "=")
		if !older() || strings.Contains(help, name) {
			kept = append(kept, flag)
		}
	}
	return kept
}
