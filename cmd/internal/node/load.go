package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
)

// ErrShown is returned by Load if it has written the help or the version: there
// is nothing to start.
var ErrShown = errors.New("shown")

// FlagError is a mistake in the configuration. Its text names the flag, its
// environment variable and what to write instead.
type FlagError struct {
	Flag    string // without the dashes
	From    string // where the value stands: "the environment" or a file; "" for the command line or when it is not known
	Problem string
}

func (e *FlagError) Error() string {
	from := ""
	if e.From != "" {
		from = ", set in " + e.From
	}
	if slices.Contains(secretFlags, e.Flag) { // of a secret there is only --…-file
		return fmt.Sprintf("%s (or --%s-file)%s: %s", EnvName(e.Flag), e.Flag, from, e.Problem)
	}
	return fmt.Sprintf("--%s (%s)%s: %s", e.Flag, EnvName(e.Flag), from, e.Problem)
}

// envPrefix begins the environment variable of every flag.
const envPrefix = "ROOMD_"

// EnvName is the environment variable of a flag: --max-message is
// ROOMD_MAX_MESSAGE.
func EnvName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Settings is Config without its methods: kong would call Validate before the
// secrets are there.
type Settings Config

// flags is what the command line is parsed into.
type flags struct {
	Settings
	ConfigFile string           `name:"config" group:"general" placeholder:"FILE" say:"the path of a JSON file" help:"JSON file with values of these flags by name. The environment and the command line win over it."`
	Version    kong.VersionFlag `group:"general" help:"Show the version and stop."`
}

const description = "A room server: browsers join rooms over WebSocket, services publish into them over NATS or HTTP.\n\n" +
	"Every flag is also an environment variable: --max-message is ROOMD_MAX_MESSAGE. " +
	"Secrets come from ROOMD_JWT_KEY, ROOMD_API_KEY, ROOMD_HOOK_KEY or a file, never from the command line."

// Load reads the configuration: the command line args (without the program's
// name) win over env (as os.Environ), which wins over the file of --config,
// which wins over the defaults. Help and version are written to out, which may
// be nil, and end it with ErrShown. Mistakes are *FlagError where a flag is to
// blame.
func Load(args, env []string, out io.Writer) (Config, error) {
	if out == nil {
		out = io.Discard
	}
	var line flags
	shown := false
	parser, err := newParser(&line, out, func(int) { shown = true })
	if err != nil {
		return Config{}, fmt.Errorf("the flags are declared wrongly: %w", err)
	}
	if err := checkSecretArgs(args); err != nil {
		return Config{}, err
	}
	values, secrets, err := gather(parser.Model.Flags, args, env)
	if err != nil && !wantsHelp(args) {
		return Config{}, err
	}
	if err := parser.Apply(values); err != nil {
		return Config{}, err
	}
	_, err = parser.Parse(cli.JoinNegatives(args, takesValue(parser.Model.Flags)))
	if shown {
		return Config{}, ErrShown
	}
	if err != nil {
		return Config{}, values.explain(parser.Model.Flags, err)
	}
	cfg := Config(line.Settings)
	if err := readSecrets(&cfg, secrets); err != nil {
		return Config{}, values.blame(err)
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, values.blame(err)
	}
	return cfg, nil
}

// groups are the headings of the help, in its order.
var groups = []kong.Group{
	{Key: "http", Title: "Browsers and HTTP:"},
	{Key: "login", Title: "Login:"},
	{Key: "nats", Title: "NATS:"},
	{Key: "log", Title: "The rooms' log:"},
	{Key: "tables", Title: "Tables:"},
	{Key: "limits", Title: "Limits and timing:"},
	{Key: "general", Title: "General:"},
}

func newParser(line *flags, out io.Writer, exit func(int)) (*parser, error) {
	k, err := kong.New(line,
		kong.Name("roomd"),
		kong.Description(description),
		kong.Writers(out, out),
		kong.Exit(exit),
		kong.Vars{"version": cli.Version("roomd")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80}),
		kong.ExplicitGroups(groups),
	)
	if err != nil {
		return nil, err
	}
	return &parser{k}, nil
}

// parser is kong with the values of the environment and the file.
type parser struct{ *kong.Kong }

// Apply lets v answer for flags that are not on the command line.
func (p *parser) Apply(v values) error {
	return kong.Resolvers(kong.ResolverFunc(v.value)).Apply(p.Kong)
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "--help" || a == "-h" || a == "--version" {
			return true
		}
	}
	return false
}

// secretFlags have no flag of their own, because the command line of a process
// can be read by every user of the machine.
var secretFlags = []string{"jwt-key", "api-key", "hook-key"}

func checkSecretArgs(args []string) error {
	for _, arg := range args {
		for _, name := range secretFlags {
			if arg == "--"+name || strings.HasPrefix(arg, "--"+name+"=") {
				return &FlagError{Flag: name, Problem: fmt.Sprintf(
					"there is no --%s: the command line is not for secrets, as other users of this machine can read it; set %s in the environment, or write --%s-file FILE", name, EnvName(name), name)}
			}
		}
	}
	if strings.Contains(argument(args, "nats-url"), "@") {
		return &FlagError{Flag: "nats-url", Problem: fmt.Sprintf(
			"the URL holds a password or token, and other users of this machine can read the command line; set %s in the environment, or use --nats-creds FILE", EnvName("nats-url"))}
	}
	return nil
}

func readSecrets(cfg *Config, env map[string]string) error {
	for _, s := range []struct {
		flag   string
		file   string
		target *string
	}{{"jwt-key", cfg.JWTKeyFile, &cfg.JWTKey}, {"api-key", cfg.APIKeyFile, &cfg.APIKey}, {"hook-key", cfg.HookKeyFile, &cfg.HookKey}} {
		*s.target = strings.TrimRight(env[s.flag], "\r\n")
		if s.file == "" {
			continue
		}
		if *s.target != "" {
			return &FlagError{Flag: s.flag + "-file", Problem: fmt.Sprintf("%s is set as well; keep one of the two", EnvName(s.flag))}
		}
		data, err := os.ReadFile(s.file)
		if err != nil {
			return &FlagError{Flag: s.flag + "-file", Problem: fmt.Sprintf("the file cannot be read: %v", err)}
		}
		if *s.target = strings.TrimRight(string(data), "\r\n"); *s.target == "" {
			return &FlagError{Flag: s.flag + "-file", Problem: fmt.Sprintf("the file %s is empty; write the key into it", s.file)}
		}
	}
	return nil
}

var (
	flagInError  = regexp.MustCompile(`^--([a-z-]+): (?s:(.*))$`)
	valueInError = regexp.MustCompile(`but got ("(?:[^"\\]|\\.)*")`)
	unknownFlag  = regexp.MustCompile(`^unknown flag (--?[^\s,]+)`)
	// An argument that belongs to no flag, perhaps a secret whose flag takes
	// none: as much of it as finds it again.
	noArgument = regexp.MustCompile(`(?s)^(unexpected argument .{12}).+`)
)

// explain says what kong said, with the environment variable and what to write
// instead.
func (v values) explain(model []*kong.Flag, err error) error {
	if m := flagInError.FindStringSubmatch(err.Error()); m != nil {
		for _, f := range model {
			if f.Name == m[1] {
				problem := m[2]
				if strings.Contains(problem, `"EOL"`) {
					problem = "the value is missing"
				} else if value := valueInError.FindStringSubmatch(problem); value != nil {
					problem = value[1] + " cannot be used"
				}
				return v.blame(&FlagError{Flag: f.Name, Problem: problem + "; write " + f.Tag.Get("say")})
			}
		}
	}
	if m := unknownFlag.FindStringSubmatch(err.Error()); m != nil {
		like := nearest(strings.TrimLeft(m[1], "-"), flagNames(model))
		if like != "" {
			like = "--" + like
		}
		return errors.New(m[1] + noFlag(like))
	}
	if m := noArgument.FindStringSubmatch(err.Error()); m != nil {
		err = errors.New(m[1] + "…")
	}
	return fmt.Errorf("%w; roomd --help lists the flags", err)
}

// blame adds the origin of the value to a FlagError.
func (v values) blame(err error) error {
	var mistake *FlagError
	if errors.As(err, &mistake) && mistake.From == "" {
		mistake.From = v.from(mistake.Flag)
	}
	return err
}
