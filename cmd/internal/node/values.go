package node

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// values are what the environment and the file of --config say, by flag.
type values struct {
	env    map[string]string
	file   map[string]any
	path   string          // of the file
	onLine map[string]bool // flags on the command line, where the others do not count
}

// gather reads env and the file that args or env name. Secrets are returned
// separately.
func gather(model []*kong.Flag, args, env []string) (v values, secrets map[string]string, err error) {
	names := flagNames(model)
	v.onLine = flagsOn(args)
	if v.env, secrets, err = readEnv(names, env); err != nil {
		return v, nil, err
	}
	if v.path = argument(args, "config"); v.path == "" {
		v.path = v.env["config"]
	}
	if v.path != "" {
		if v.file, err = readFile(names, v.path); err != nil {
			return v, nil, err
		}
	}
	return v, secrets, nil
}

// value returns the value of a flag that is not on the command line, for kong.
func (v values) value(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if text, ok := v.env[flag.Name]; ok {
		return text, nil
	}
	return v.file[flag.Name], nil // nil: not set
}

// from returns the origin of a flag's value.
func (v values) from(flag string) string {
	if v.onLine[flag] {
		return ""
	}
	if _, ok := v.env[flag]; ok || slices.Contains(secretFlags, flag) {
		return "the environment"
	}
	if _, ok := v.file[flag]; ok {
		return v.path
	}
	return ""
}

// flagNames returns the flags that may be set in the environment and in a file.
func flagNames(model []*kong.Flag) []string {
	var names []string
	for _, f := range model {
		if f.Name != "help" && f.Name != "version" {
			names = append(names, f.Name)
		}
	}
	return names
}

// takesValue reports whether a flag, named without its dashes, takes a value.
func takesValue(model []*kong.Flag) func(flag string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(model, func(f *kong.Flag) bool { return f.Name == name && !f.IsBool() })
	}
}

// flagsOn are the names of the flags in args.
func flagsOn(args []string) map[string]bool {
	found := make(map[string]bool)
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--"); ok {
			name, _, _ = strings.Cut(name, "=")
			found[strings.TrimPrefix(name, "no-")] = true
		}
	}
	return found
}

// argument is the value of a flag in args, before they are parsed: the last one
// wins.
func argument(args []string, flag string) (value string) {
	for i, arg := range args {
		if text, ok := strings.CutPrefix(arg, "--"+flag+"="); ok {
			value = text
		} else if arg == "--"+flag && i+1 < len(args) {
			value = args[i+1]
		}
	}
	return value
}

// readEnv returns the values of flags and, apart, of secrets. An empty variable
// counts as not set.
func readEnv(names, env []string) (set, secrets map[string]string, err error) {
	set, secrets = make(map[string]string), make(map[string]string)
	all := slices.Concat(names, secretFlags)
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" || fromKubernetes(name, value) {
			continue
		}
		flag := strings.ToLower(strings.ReplaceAll(name[len(envPrefix):], "_", "-"))
		switch {
		case EnvName(flag) != name || !slices.Contains(all, flag):
			like := nearest(flag, all)
			if like != "" {
				like = EnvName(like) + " (--" + like + ")"
			}
			return nil, nil, errors.New("the environment variable " + name + noFlag(like))
		case slices.Contains(secretFlags, flag):
			secrets[flag] = value
		default:
			set[flag] = value
		}
	}
	return set, secrets, nil
}

// fromKubernetes reports variables that Kubernetes sets in every container when
// a service is called "roomd".
func fromKubernetes(name, value string) bool {
	return strings.HasPrefix(name, envPrefix+"SERVICE_") ||
		strings.HasPrefix(name, envPrefix+"PORT") && (strings.HasPrefix(value, "tcp://") || strings.HasPrefix(name, envPrefix+"PORT_"))
}

// noFlag ends the sentence about a name that no flag has; like is what was
// meant perhaps, or "".
func noFlag(like string) string {
	if like != "" {
		like = " did you mean " + like + "?"
	}
	return " is no flag of roomd;" + like + " roomd --help lists the flags"
}

// nearest returns the name with the smallest edit distance to word; "" if that
// is more than a third of its length.
func nearest(word string, names []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, name := range names {
		if d := distance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance returns the edit distance (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
