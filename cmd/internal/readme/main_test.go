// Package readme runs what the documents show: shell blocks in a network of
// their own, programs as a user's module would have them, and every link.
package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

const root = "../../.."

// TestMain is also the commands that the boxes run under other names.
func TestMain(m *testing.M) {
	if command, ok := commands[filepath.Base(os.Args[0])]; ok {
		if err := command(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// commands are what a box has beside the system's own.
var commands = map[string]func(args []string) error{
	"nats": natsCommand,
	"bet":  betCommand,
}
