package bench

import (
	"fmt"
	"io"
	"os"
	"time"
)

// How often progress is shown: on a terminal in one line that changes,
// elsewhere in lines of their own.
const (
	terminalEvery = 200 * time.Millisecond
	plainEvery    = 5 * time.Second
)

// progress shows where a run stands. It is for one goroutine.
type progress struct {
	out      io.Writer
	terminal bool
	what     string // goes before every text
	last     time.Time
	err      error // the first of out
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// begin names what is shown from now on.
func (p *progress) begin(what string) {
	p.what, p.last = what, time.Time{}
	p.show("starting")
}

// show shows text, unless something was shown just before.
func (p *progress) show(text string) {
	every := plainEvery
	if p.terminal {
		every = terminalEvery
	}
	now := time.Now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	const clear = "\r\x1b[K"
	if p.terminal {
		p.print("%s%s: %s", clear, p.what, text)
		return
	}
	p.print("%s: %s\n", p.what, text)
}

// end makes place for a result.
func (p *progress) end() {
	if p.terminal {
		p.print("\r\x1b[K")
	}
}

func (p *progress) print(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil && p.err == nil {
		p.err = fmt.Errorf("show progress: %w", err)
	}
}
