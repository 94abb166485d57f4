package main

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/bench"
)

// benchCmd measures a server; all of it is in package bench.
type benchCmd struct{ bench.Command }

func (c *benchCmd) run(ctx context.Context, t terminal) error { return c.Run(ctx, t.stdout, t.stderr) }
