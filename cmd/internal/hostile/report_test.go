//go:build linux

package hostile

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// row is one line of the table.
type row struct {
	name, got   string
	took        time.Duration
	watched     bool
	felt        felt
	peak, after int64
	counters    string
	loud        int // warnings in the server's log
}

// String is for the test's log.
func (r row) String() string {
	text := fmt.Sprintf("%s, %.1f s\n  attacker: %s\n", r.name, r.took.Seconds(), r.got)
	if r.watched {
		over := ""
		if r.felt.p99 > ackLimit {
			over = fmt.Sprintf(" (over the limit of %v)", ackLimit)
		}
		text += fmt.Sprintf("  bystander: %d acks, p50 %s p99 %s%s longest %s; lost %d; %d visits, p50 %s p99 %s\n", r.felt.acks, ms(r.felt.p50), ms(r.felt.p99), over,
			ms(r.felt.longest), r.felt.lost, r.felt.visits, ms(r.felt.visitP50), ms(r.felt.visitP99))
	}
	return text + fmt.Sprintf("  memory: %s at its top, %s at the end; %d warnings logged\n  server: %s", size(r.peak), size(r.after), r.loud, r.counters)
}

// table has the rows of this run.
var table rows

type rows struct {
	mu   sync.Mutex
	rows []row
}

func (l *rows) add(r row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
}

// printTable writes what the README shows.
func printTable(out io.Writer) {
	if len(table.rows) == 0 {
		return
	}
	fmt.Fprintln(out, "| attack | attackers | a bystander's ack p50, p99 | lost | memory |\n|---|---|---|---:|---:|")
	for _, r := range table.rows {
		acks, lost := "–", "–"
		if r.watched {
			acks, lost = ms(r.felt.p50)+", "+ms(r.felt.p99)+" ms", fmt.Sprint(r.felt.lost)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", r.name, r.got, acks, lost, size(r.peak))
	}
}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.0f GB", float64(n)/(1<<30))
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MB", float64(n)/(1<<20))
	case n >= 100<<10:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
}
