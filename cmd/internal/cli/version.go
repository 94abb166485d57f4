package cli

import (
	"runtime/debug"
	"strings"
)

// Build is what a program was built from; what is not known is "".
type Build struct {
	Module   string // its version, or (devel) in a source tree without version control
	Revision string // of the source
	Modified bool   // the source had changes that are in no revision
	Go       string // the version of Go
}

// ReadBuild is the running program's.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{}
	}
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) Build {
	b := Build{Module: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Version is what --version prints of the program with that name, without a
// line break: name, version, revision and version of Go.
func Version(name string) string { return ReadBuild().describe(name) }

func (b Build) describe(name string) string {
	words := []string{name}
	if b.Module == "" && b.Revision == "" {
		words = append(words, "(unknown build)")
	}
	if b.Module != "" {
		words = append(words, b.Module)
	}
	if b.Revision != "" {
		words = append(words, "revision", b.Revision)
	}
	if b.Modified {
		words = append(words, "(modified)")
	}
	if b.Go != "" {
		words = append(words, b.Go)
	}
	return strings.Join(words, " ")
}
