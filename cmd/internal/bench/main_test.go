package bench

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// What built has made. Only tests that do not run in parallel use it.
var (
	shop     *workshop
	programs = make(map[string]*program)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if shop != nil {
		if err := shop.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
