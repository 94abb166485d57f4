// Command roomctl is a room server's client for terminals and scripts: join a
// room, send into it, see who is there and what was said, make tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "roomctl:", err)
		os.Exit(exitStatus(err))
	}
}

// exitStatus is 2 where verify found the promise broken, so that a script can
// tell that from what could not be judged, and 1 for every other error.
func exitStatus(err error) int {
	if errors.Is(err, verify.ErrBroken) {
		return 2
	}
	return 1
}
