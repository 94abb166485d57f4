// Package node is a whole server: its configuration, the order in which its
// parts start and stop, the HTTP side of rooms/wire/README.md, health and
// metrics. cmd/roomd is a main around it.
//
//	cfg, err := node.Load(os.Args[1:], os.Environ())  // flags, ROOMD_* and a file; every mistake is named
//	n, err := node.New(ctx, cfg, log, os.Stdout)      // NATS, engine, login, sessions, listener: in this order
//	err = n.Run(ctx)                                  // serves until ctx ends, then drains and stops in reverse
//
// A program that wants a server of its own does not use this package but the
// ones below it.
package node
