package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func call(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	return out.String(), err
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"fanout", "-h"}} {
		if out, err := call(t, args...); err != nil || !strings.Contains(out, "Usage: roombench") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	if out, err := call(t, "--version"); err != nil || !strings.HasPrefix(out, "roombench ") {
		t.Errorf("--version: %q, %v", out, err)
	}
}

// A mistake is told before anything is built.
func TestMistakesAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"nonsense":            "nonsense",
		"fanout --nope":       "--nope",
		"fanout --members x":  "--members",
		"fanout --repeat -1":  "--repeat and --readers must not be negative",
		"fanout --against x":  "--against x",
		"fanout --nodes 2":    "--nats 3",
		"join rooms":          "rooms",
		"fanout --rate -0.5":  "rate",
		"fanout --members -3": "members",
	} {
		if out, err := call(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%s: %v does not name %q; printed %q", args, err, want, out)
		}
	}
}

// The commands that the README shows are understood. They take minutes, so each ends where it would begin to build.
func TestReadmesCommands(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	shown := regexp.MustCompile(`(?m)^go run ./cmd/roombench (.*?)(?:\s+#.*)?$`).FindAllSubmatch(readme, -1)
	if len(shown) < 5 {
		t.Fatalf("the README shows %d commands", len(shown))
	}
	for _, line := range shown {
		var out bytes.Buffer
		if err := run(ctx, strings.Fields(string(line[1])), &out, &out); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", line[0], err)
		}
	}
}
