// Command roombench measures what a room server costs, beside other servers
// under the same load: see roombench --help and the README beside this file. It
// builds the servers that it measures from the source tree that it is run in.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/bench"
	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "roombench:", err)
		os.Exit(1)
	}
}

type flags struct {
	bench.Command
	Version kong.VersionFlag `help:"Show the version and stop."`
}

// run does what args say. Its error is for the user to read.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var command flags
	shown := false
	parser, err := kong.New(&command,
		kong.Name("roombench"),
		kong.Description("Measures what a room server costs: CPU per delivered message, memory per connection, latency."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { shown = true }),
		kong.Vars{"version": cli.Version("roombench")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("build the command line: %w", err)
	}
	_, err = parser.Parse(cli.JoinNegatives(args, takesValue(parser.Model)))
	if shown { // kong goes on to parse after it has printed the help
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; see roombench --help", cli.Explain(err))
	}
	return command.Run(ctx, stdout, stderr)
}

// takesValue reports whether a flag, named without its dashes, takes a value.
func takesValue(model *kong.Application) func(flag string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(model.Flags, func(f *kong.Flag) bool { return f.Name == name && !f.IsBool() })
	}
}
