package node

import (
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

const (
	logJSON    = "json"
	logConsole = "console"
)

// NewLogger returns the log that cfg asks for, written to w. Unless a format is set it is for people when w is a terminal.
func NewLogger(cfg Config, w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // Validate has refused it before
	}
	if logFormat(cfg, w) == logConsole {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !isTerminal(w), TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// logFormat is the format of a log that is written to w.
func logFormat(cfg Config, w io.Writer) string {
	if cfg.Log != "" {
		return cfg.Log
	}
	if isTerminal(w) {
		return logConsole
	}
	return logJSON
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// version is what the binary was built from.
func version() string {
	module, revision, goversion := build()
	if module == "" {
		return "roomd (unknown build)"
	}
	return strings.TrimSuffix("roomd "+module+" "+goversion+" "+revision, " ")
}

// build is the version of the module, the revision of its source and the version of Go that the binary was built with;
// what is not known is "".
func build() (module, revision, goversion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", "", ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return info.Main.Version, revision, info.GoVersion
}
