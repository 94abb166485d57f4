// Command roomd is the room server: see roomd --help and the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/node"
)

func main() {
	ctx, stop := node.Interruptible(context.Background(), os.Stderr, os.Exit)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "roomd:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. The log goes to stderr, what is for people to stdout.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) error {
	cfg, err := node.Load(args, env, stdout)
	if errors.Is(err, node.ErrShown) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := node.New(ctx, cfg, node.NewLogger(cfg, stderr), stdout)
	if errors.Is(err, context.Canceled) {
		return nil // stopped while it was starting
	}
	if err != nil {
		return err
	}
	return n.Run(ctx)
}
