package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// bench is a Command at work. It is for one goroutine.
type bench struct {
	command  *Command
	progress *progress
	out      io.Writer
	servers  []*program
	rows     []row
	faults   []error
}

// run measures the cases one after the other.
func (b *bench) run(ctx context.Context, cases []testCase) error {
	if !b.command.JSON {
		if _, err := fmt.Fprintf(b.out, "%s\n\n", storesLine(b.servers)); err != nil {
			return err
		}
	}
	for _, tc := range cases {
		if err := b.compare(ctx, &tc); err != nil {
			return err
		}
	}
	if err := b.summary(); err != nil {
		return err
	}
	return errors.Join(append(b.faults, b.progress.err)...)
}

// compare runs a case on all servers, in turn, in every round.
func (b *bench) compare(ctx context.Context, tc *testCase) error {
	servers := b.servers
	if tc.alone {
		servers = servers[:1]
	}
	var results []*Result
	for round := range b.command.rounds() {
		for i, p := range servers {
			if p.absent != "" {
				continue
			}
			b.progress.begin(fmt.Sprintf("round %d of %d, %s, %s", round+1, b.command.rounds(), tc.name, p.name))
			res, err := b.once(ctx, p, tc.load)
			b.progress.end()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", tc.name, p.name, err)
			}
			res.Round = round + 1
			results = append(results, res)
			if err := b.print(res); err != nil {
				return err
			}
			if i == 0 || p.dialect.moves {
				if fault := res.fault(); fault != nil {
					b.faults = append(b.faults, fault)
				}
			}
		}
	}
	rows := rowsOf(tc, servers, results)
	for i := range rows { // a server that cannot do it has an empty cell
		for len(rows[i].Cells) < len(b.servers) {
			rows[i].Cells = append(rows[i].Cells, cell{Server: b.servers[len(rows[i].Cells)].name})
		}
	}
	b.rows = append(b.rows, rows...)
	return nil
}

// once measures a server; with rooms open besides, first without them, because
// machines are not as fast now as they were minutes ago. A server that was
// running keeps the rooms of one run into the next, so there it is one run.
func (b *bench) once(ctx context.Context, p *program, l load) (*Result, error) {
	if l.Open == 0 || p.path == "" {
		return b.measure(ctx, p, l)
	}
	alone := l
	alone.Open = 0
	before, err := b.measure(ctx, p, alone)
	if err != nil {
		return nil, err
	}
	if err := before.fault(); err != nil {
		return nil, err
	}
	res, err := b.measure(ctx, p, l)
	if err == nil {
		res.CPUWithoutOpen = before.CPUPerDelivery
	}
	return res, err
}

// measure starts a server and measures it, or one that runs.
func (b *bench) measure(ctx context.Context, p *program, l load) (res *Result, err error) {
	srv := &server{name: p.name, urls: []string{b.command.URL}, dialect: p.dialect}
	if b.command.PID != 0 {
		srv.processes = processes{{b.command.PID}}
	}
	if p.path != "" {
		if srv, err = p.start(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, srv.stop()) }()
	}
	if res, err = measure(ctx, srv, &l, b.command.readers(), b.progress.show); err != nil {
		return nil, err
	}
	res.Server, res.load = p.name, &l
	res.Nodes, res.NATS = p.nodes, p.nats
	return res, nil
}

func (b *bench) print(res *Result) error {
	if b.command.JSON {
		return json.NewEncoder(b.out).Encode(res)
	}
	// A table is the output of this mode; the runs behind it are progress.
	if b.command.Mode == Standard {
		b.progress.print("%s\n", res.line())
		return nil
	}
	_, err := fmt.Fprintln(b.out, res.line())
	return err
}

// summary prints the table, where servers are compared.
func (b *bench) summary() error {
	if len(b.servers) == 1 && b.command.Mode != Standard {
		return nil
	}
	if b.command.JSON {
		return json.NewEncoder(b.out).Encode(struct {
			Stores string `json:"stores"`
			Rows   []row  `json:"rows"`
		}{storesLine(b.servers), b.rows})
	}
	if err := writeTable(b.out, b.servers, b.rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(b.out, "\n%d cores, %s, %s; median of %s; in brackets roomd's figure as a part of the other's. Made by\n`%s`.\n",
		runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(), plural(b.command.rounds(), "round"), commandLine())
	return err
}
