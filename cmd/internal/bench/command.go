package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Command is roombench. The zero value of a field is the mode's default.
type Command struct {
	Mode       string        `arg:"" help:"fanout: one publisher, many members. rooms: many rooms, all talking. idle: nothing is said. join: a storm of joins and leaves. latency: a low rate. table: rooms that decide, beside rooms that only relay. standard: the standard cases beside the other servers, in Markdown."`
	Against    []string      `sep:"," placeholder:"PEER,..." help:"Run the same on these too, in turn: echo, hub, melody, socketio, socketio-redis, which are built from testdata/peers. The mode standard takes all."`
	Members    int           `placeholder:"N" help:"Members of each room: 1000 for fanout and join, 10 for rooms and latency, 8 for table, 10000 for idle."`
	Rooms      int           `placeholder:"N" help:"Rooms: 100 for the mode rooms, else 1."`
	Publishers int           `placeholder:"N" help:"Members who speak, over all rooms: 100 for the mode rooms, else 1."`
	Ahead      int           `placeholder:"N" help:"Messages of a publisher that have not come back to it: 64 for fanout, 16 for rooms."`
	Rate       float64       `placeholder:"N" help:"Messages per second of each publisher, instead of --ahead: 100 for latency."`
	Size       int           `placeholder:"BYTES" help:"Length of a message's text: 128."`
	Shape      string        `placeholder:"NAME" help:"What messages are made of: plain, braces (in the text), nested (an object beside the text), cjk, or long plain texts, 4k and 16k. All servers get the same. plain."`
	Play       string        `placeholder:"NAME" help:"What members of a table do: chat, as those of the rooms beside it, or bets, at baccarat. The rooms get messages of --shape either way. chat."`
	Sender     string        `placeholder:"NODE" help:"In the mode table, with two nodes: the members who speak are on the node that decides, owner, or on the other. Unless it is set: both, one after the other."`
	NoIDs      bool          `name:"no-ids" help:"In the mode table: messages without ids, which are not acknowledged. A table remembers the ids of three minutes, and 131,072 at most."`
	Open       int           `placeholder:"N" help:"In the mode rooms: this many rooms are open besides, through a few connections that are in 32 each."`
	Compress   bool          `help:"The clients ask for compression, which roomd, echo and hub are started with."`
	Unlogged   bool          `help:"Signals instead of messages: what a delivery costs without the log. For roomd alone."`
	Resume     bool          `help:"In the mode join: who has joined is cut off and comes back with its positions. For roomd alone."`
	Spread     time.Duration `placeholder:"DURATION" help:"The time over which --resume has them come back: 0s, which is at once."`
	Settle     time.Duration `placeholder:"DURATION" help:"Pause after connecting: 3s. In the mode join, how long nothing was told when all is told: 4s."`
	Warmup     time.Duration `placeholder:"DURATION" help:"Publishing before it is measured: 1s."`
	Duration   time.Duration `placeholder:"DURATION" help:"What is measured: 5s; 10s for latency, 30s for idle."`
	Repeat     int           `placeholder:"N" help:"Rounds, each with every server; a table has medians: 1, and 3 for standard and for table."`
	Readers    int           `placeholder:"N" help:"Threads that read the connections; the members of a room share one. Unless it is set: half of the machine's cores."`
	Server     string        `placeholder:"FILE" help:"The roomd to start. Unless it is set: built from the source tree."`
	ServerFlag []string      `sep:"none" placeholder:"FLAG" help:"One more flag for roomd, such as --server-flag=--history=100; repeatable."`
	Nodes      int           `placeholder:"N" help:"Run this many roomd on the servers of --nats; the members of each room are spread over them. 1."`
	NATS       int           `name:"nats" placeholder:"N" help:"Run roomd on a cluster of this many NATS servers, which are part of what it costs: 0, which is its embedded one."`
	URL        string        `name:"url" placeholder:"WS-URL" help:"Measure this running roomd instead of starting one. It needs --rate 0 --rate-bytes 0 --room-bytes 0 --max-guest-rooms 0 --max-connections-per-user 0 and guests."`
	PID        int           `name:"pid" placeholder:"PID" help:"Process of the server at --url, on this machine; without it, its CPU and memory are not measured."`
	JSON       bool          `name:"json" help:"Print results as JSON, one object per line."`
}

// Run measures what the command says. Results go to out, one line each and a
// table where servers are compared, progress to errOut. It is an error when
// roomd, or the only server, left something undone; what the others lose is
// shown only.
func (c *Command) Run(ctx context.Context, out, errOut io.Writer) (err error) {
	cases, err := c.cases()
	if err != nil {
		return err
	}
	w, err := newWorkshop()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	b := &bench{command: c, progress: newProgress(errOut), out: out}
	b.progress.begin("building the servers")
	if b.servers, err = c.programs(ctx, w); err != nil {
		return err
	}
	return b.run(ctx, cases)
}

// cases are the loads that the flags ask for.
func (c *Command) cases() ([]testCase, error) {
	for _, name := range c.Against {
		if !slices.Contains(peerNames, name) {
			return nil, fmt.Errorf("--against %s: choose from %s", name, strings.Join(peerNames, ", "))
		}
	}
	switch {
	case c.Repeat < 0 || c.Readers < 0:
		return nil, errors.New("--repeat and --readers must not be negative")
	case c.PID < 0 || c.PID >= maxPID:
		return nil, fmt.Errorf("--pid %d is no process", c.PID)
	case c.URL == "" && c.PID != 0:
		return nil, errors.New("--pid is for the server at --url")
	case c.Compress && slices.ContainsFunc(c.Against, func(name string) bool { return !compresses(name) }):
		return nil, errors.New("--compress is for roomd, echo and hub")
	case c.Unlogged && len(c.Against) > 0:
		return nil, errors.New("--unlogged is for roomd alone: the others have no log")
	case c.Open > 0 && len(c.Against) > 0:
		return nil, errors.New("--open is for roomd alone: with the others, a connection is in one room")
	case c.Resume && len(c.Against) > 0:
		return nil, errors.New("--resume is for roomd alone: the others do not know positions")
	case c.Resume && c.URL != "":
		return nil, errors.New("--resume needs tokens, for whose key roomd must be started: leave --url out")
	case c.URL != "" && (c.Server != "" || len(c.ServerFlag) > 0):
		return nil, errors.New("choose --url, or --server with --server-flag")
	case c.Nodes < 0 || c.NATS < 0:
		return nil, errors.New("--nodes and --nats must not be negative")
	case c.Sender != "" && c.Nodes < 2:
		return nil, errors.New("--sender is for several nodes: add --nodes 2 --nats 1")
	case c.Nodes > 1 && c.NATS == 0:
		return nil, errors.New("--nodes is for roomd on NATS servers of its own: add --nats 3")
	case c.URL != "" && (c.Nodes > 1 || c.NATS > 0):
		return nil, errors.New("choose --url, or --nodes with --nats")
	}
	given := load{Members: c.Members, Rooms: c.Rooms, Publishers: c.Publishers, Ahead: c.Ahead, Rate: c.Rate,
		Size: c.Size, Shape: c.Shape, Play: c.Play, Sender: c.Sender, NoIDs: c.NoIDs, Open: c.Open, Compress: c.Compress, Unlogged: c.Unlogged, Resume: c.Resume, Spread: c.Spread, Settle: c.Settle, Warmup: c.Warmup, Duration: c.Duration}
	var cases []testCase
	switch c.Mode {
	case Standard:
		if given != (load{}) {
			return nil, errors.New("the mode standard has its own loads: use it without flags for them")
		}
		cases = standardCases()
	case Table:
		if given.Mode = Table; len(c.Against) > 0 {
			return nil, errors.New("--against is not for the mode table, which compares tables with rooms of roomd")
		}
		cases = tableCases(given, c.Nodes)
	case Fanout, Rooms, Idle, Join, Latency:
		given.Mode = c.Mode
		cases = []testCase{{name: c.Mode, load: given, alone: c.Open > 0, figures: figuresOf(c.Mode)}}
	default:
		return nil, fmt.Errorf("the mode %q is none of fanout, rooms, idle, join, latency, table, standard", c.Mode)
	}
	for i := range cases {
		cases[i].load.defaults()
		if err := cases[i].load.check(); err != nil {
			return nil, err
		}
	}
	if len(cases) == 1 {
		cases[0].name += ", " + cases[0].load.String()
	}
	return cases, nil
}

// programs are roomd, unless it runs already, and those to compare with.
func (c *Command) programs(ctx context.Context, w *workshop) ([]*program, error) {
	first := &program{name: roomdName, dialect: roomdDialect}
	if c.URL == "" {
		var err error
		if first, err = w.roomd(ctx, c.Server, slices.Concat(c.compressFlag(), c.tableFlags(), c.ServerFlag), c.Nodes, c.NATS); err != nil {
			return nil, err
		}
	}
	first.stores = c.roomdStores()
	if c.Resume {
		first.key = rand.Text()
	}
	if c.Mode == Table {
		return tablesAndRooms(first), nil
	}
	all := []*program{first}
	names := c.Against
	if c.Mode == Standard && len(names) == 0 {
		names = peerNames
	}
	for _, name := range names {
		p, err := w.peer(ctx, name, c.compressFlag())
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// compressFlag is what makes roomd, echo and hub compress.
func (c *Command) compressFlag() []string {
	if c.Compress {
		return []string{"--compress"}
	}
	return nil
}

// tableFlags are what roomd is started with for the mode table.
func (c *Command) tableFlags() []string {
	if c.Mode == Table {
		return tableFlags
	}
	return nil
}

func (c *Command) rounds() int {
	switch {
	case c.Repeat > 0:
		return c.Repeat
	case c.Mode == Standard || c.Mode == Table:
		return 3
	}
	return 1
}

func (c *Command) readers() int {
	if c.Readers > 0 {
		return c.Readers
	}
	return max(1, runtime.NumCPU()/2)
}
