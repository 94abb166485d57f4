// Command roomd is the room server: see roomd --help and the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/node"
)

// gcPercent is GOGC unless that is set. What lives long in roomd, its rooms and
// clients, is many small objects, which cost the collector most: with 100,000
// rooms open, half as many collections make a delivery 4% cheaper for a tenth
// more memory.
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := node.Interruptible(context.Background(), os.Stderr, os.Exit)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "roomd:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. The log goes to stderr, what is for people to
// stdout.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) error {
	cfg, err := node.Load(args, env, stdout)
	if errors.Is(err, node.ErrShown) {
		return nil
	}
	if err != nil {
		return err
	}
	log := node.NewLogger(cfg, stderr)
	node.LimitMemory(log)
	n, err := node.New(ctx, cfg, log, stdout)
	if errors.Is(err, context.Canceled) {
		return nil // stopped while it was starting
	}
	if err != nil {
		return err
	}
	return n.Run(ctx)
}
