package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// server is a running one: one process, or several.
type server struct {
	name      string
	urls      []string // of the WebSocket of each node, without a query
	dialect   dialect
	processes processes // those of its store included; nil: what it costs is not known
	key       string    // with which tokens for it are made; "": its users are guests
	names     []string  // of the nodes, as of urls; nil: they were not asked for
	store     string    // where its store is; "": it has none of its own
	stop      func() error
}

// known reports whether what the server costs can be measured.
func (s *server) known() bool { return len(s.processes) > 0 }

// backing starts what a program stores in, as a part of f, and returns where
// that is.
type backing func(ctx context.Context, f *fleet) (store string, err error)

// program is a server that can be started.
type program struct {
	name    string
	dialect dialect
	path    string
	args    func(at place) []string
	back    backing                 // nil: it stores nothing, or by itself
	env     func(at place) []string // variables besides ours; nil: none
	key     string                  // with which tokens for it are made; "": its users are guests
	nodes   int                     // how many are started on one store; 0: 1
	nats    int                     // servers that the store is; 0: another store, or none
	stores  string                  // what it stores of what is said
	dir     string                  // to start it in; "": ours
	absent  string                  // why it cannot be started; "": it can
}

// place is what a process of a program is given.
type place struct {
	addr  string // to listen on
	dir   string // empty, and its own
	store string // where its store is
}

// start runs the program on free loopback ports until stop is called, and
// returns when it is ready.
func (p *program) start(ctx context.Context) (_ *server, err error) {
	f, err := newFleet(p.name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.stop())
		}
	}()
	srv := &server{name: p.name, dialect: p.dialect, key: p.key, stop: f.stop}
	if p.back != nil {
		if srv.store, err = p.back(ctx, f); err != nil {
			return nil, err
		}
	}
	for range max(1, p.nodes) {
		addr, err := p.node(ctx, f, srv.store)
		if err != nil {
			return nil, err
		}
		srv.urls = append(srv.urls, "ws://"+addr+"/ws")
	}
	srv.processes = f.processes()
	return srv, nil
}

// node starts one process of the program and returns where it listens.
func (p *program) node(ctx context.Context, f *fleet, store string) (addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	dir, err := f.subdir(addr[len("127.0.0.1:"):])
	if err != nil {
		return "", err
	}
	at := place{addr: addr, dir: dir, store: store}
	cmd := exec.Command(p.path, p.args(at)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	if p.key != "" {
		cmd.Env = append(cmd.Env, "ROOMD_JWT_KEY="+p.key)
	}
	if p.env != nil {
		cmd.Env = append(cmd.Env, p.env(at)...)
	}
	c, err := f.run(p.name, cmd)
	if err != nil {
		return "", err
	}
	return addr, c.await(ctx, func(ctx context.Context) error { return get200(ctx, addr, "/readyz") })
}
