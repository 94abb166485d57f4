package bench

import (
	"os"
	"path/filepath"
	"strings"
)

// commandLine is the command that repeats this run.
func commandLine() string {
	args := append([]string{"go run ./cmd/" + filepath.Base(os.Args[0])}, os.Args[1:]...)
	return strings.Join(args, " ")
}
