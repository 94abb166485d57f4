package jsclient

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// buildDir holds the program under test.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "roomd-js-"); err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the program:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(buildDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}))
}
