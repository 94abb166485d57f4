//go:build unix

package cluster

import (
	"sync"
	"syscall"
	"testing"
	"time"
)

// stutter stops a process and lets it go on, again and again, until end is
// called: it then goes on for good. Until then nobody else may signal it.
func stutter(t *testing.T, p *process, stopped, going time.Duration) (end func()) {
	t.Helper()
	over := make(chan struct{})
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-over:
			return false
		}
	}
	var work sync.WaitGroup
	stops := 0
	work.Go(func() {
		for more := true; more; stops++ {
			p.signal(syscall.SIGSTOP)
			more = wait(stopped)
			p.signal(syscall.SIGCONT)
			more = more && wait(going)
		}
	})
	end = sync.OnceFunc(func() {
		close(over)
		work.Wait()
		t.Logf("%s stood still %d times for %v", p.name, stops, stopped)
	})
	t.Cleanup(end) // before the process is killed: its cleanup was set first
	return end
}
