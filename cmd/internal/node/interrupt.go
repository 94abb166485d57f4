package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Interruptible returns a context that ends at the first Ctrl-C or SIGTERM. It
// says so on out; at the second one it says that as well and calls exit with 1.
// stop gives the signals back and waits until nothing of this is running.
func Interruptible(parent context.Context, out io.Writer, exit func(status int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for count := 1; ; count++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			if count == 1 {
				fmt.Fprintln(out, "roomd: stopping; once more (Ctrl-C) stops at once")
				cancel()
				continue
			}
			fmt.Fprintln(out, "roomd: stopped at once, without waiting for clients")
			exit(1)
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		running.Wait()
		cancel()
	}
}
