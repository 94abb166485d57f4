package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
)

type commands struct {
	Join    joinCmd    `cmd:"" help:"Show what happens in a room; lines typed are sent into it. Ctrl-C leaves."`
	Send    sendCmd    `cmd:"" help:"Send a message or an event into a room and print its sequence."`
	Rooms   roomsCmd   `cmd:"" help:"List the rooms of all nodes: name, people, label."`
	Members membersCmd `cmd:"" help:"List the people in a room."`
	History historyCmd `cmd:"" help:"Show the last events of a room."`
	Table   tableCmd   `cmd:"" help:"Look after a table: a room that decides."`
	Verify  verifyCmd  `cmd:"" help:"Put a service under load and check that nothing is lost, repeated or out of order."`
	Token   tokenCmd   `cmd:"" help:"Make a JWT for a key."`

	Baccarat baccaratCmd `cmd:"" help:"Check a baccarat table."`

	Version kong.VersionFlag `help:"Show the version and stop."`
}

// terminal is what a command may touch of the process it runs in.
type terminal struct {
	env    map[string]string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

type command interface {
	run(ctx context.Context, t terminal) error
}

// run does what args say. Its error is for the user to read: it names the flag
// or argument to change, where one is the cause. Nil is exit status 0.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) error {
	t := terminal{env: environment(env), stdin: stdin, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var grammar commands
	shown := false // the help or the version
	parser, err := kong.New(&grammar,
		kong.Name("roomctl"),
		kong.Description("A room server's client for terminals and scripts."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { shown = true }),
		kong.Vars{"version": cli.Version("roomctl")},
		kong.Resolvers(t.resolver()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("build the command line: %w", err)
	}
	parsed, err := parser.Parse(cli.JoinNegatives(args, takesValue(parser.Model.Node)))
	if shown { // kong goes on to parse after it has printed them
		return nil
	}
	if err == nil {
		err = t.checkNames()
	}
	if err != nil {
		return fmt.Errorf("%w; see roomctl --help", cli.Explain(err))
	}
	chosen, ok := parsed.Selected().Target.Addr().Interface().(command)
	if !ok {
		return errors.New("choose a command; see roomctl --help")
	}
	return chosen.run(ctx, t)
}

// prefix begins the names of roomctl's own variables.
const prefix = "ROOMCTL_"

var variables = []string{apiKeyVariable, "ROOMCTL_AVATAR", verifyKeyVariable, "ROOMCTL_NAME", "ROOMCTL_TLS_CA", tokenVariable, "ROOMCTL_URL"}

// checkNames finds a variable that nothing reads: a key under a misspelt name
// would be missed without a word.
func (t terminal) checkNames() error {
	for _, name := range slices.Sorted(maps.Keys(t.env)) {
		if strings.HasPrefix(name, prefix) && t.env[name] != "" && !slices.Contains(variables, name) {
			return fmt.Errorf("the environment variable %s is none of roomctl's, which are %s", name, strings.Join(variables, ", "))
		}
	}
	return nil
}

// resolver takes a flag that is not on the command line from the variable that
// its "from" tag names. Kong's own env tag would read the process.
func (t terminal) resolver() kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		name := flag.Tag.Get("from")
		if value, ok := t.env[name]; ok && name != "" {
			return value, nil
		}
		return nil, nil
	})
}

func environment(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, item := range list {
		name, value, _ := strings.Cut(item, "=")
		env[name] = value
	}
	return env
}

// takesValue reports whether a flag of any command, named without its dashes,
// takes a value.
func takesValue(node *kong.Node) func(flag string) bool {
	values := make(map[string]bool)
	var add func(*kong.Node)
	add = func(node *kong.Node) {
		for _, f := range node.Flags {
			values[f.Name] = values[f.Name] || !f.IsBool()
		}
		for _, command := range node.Children {
			add(command)
		}
	}
	add(node)
	return func(flag string) bool { return values[flag] }
}
