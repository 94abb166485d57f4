package node

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

const (
	logJSON    = "json"
	logConsole = "console"
)

// NewLogger returns a logger configured by cfg that writes to w. The default
// format is text on a terminal, else JSON.
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
