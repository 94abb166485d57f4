//go:build unix

package node

import (
	"fmt"
	"math"
	"syscall"
)

// raiseFiles raises the soft limit of open files to the hard one, which Go has
// done already unless the program that started this one forbade it, and returns
// the limit.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := limit
		raised.Cur = limit.Max
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil { // else what there is has to do
			limit = raised
		}
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)), nil
}
