package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// row is a figure of a case, with one cell for each server.
type row struct {
	Case   string `json:"case"`
	Figure string `json:"figure"`
	Target string `json:"target,omitempty"`
	Cells  []cell `json:"cells"`
}

// cell is what a server's figure was, over the rounds.
type cell struct {
	Server string   `json:"server"`
	Median *float64 `json:"median,omitempty"`
	Ratio  *float64 `json:"ratio,omitempty"` // median over the rounds of the first server's by this one's
	Lost   uint64   `json:"lost,omitempty"`  // deliveries, in all rounds
	digits int
	absent string // why it was not measured
}

// rowsOf compares the servers of a case; the first is the one the others are
// compared with. results are of one case, in any order.
func rowsOf(c *testCase, servers []*program, results []*Result) []row {
	var rows []row
	for _, f := range c.figures {
		r := row{Case: c.name, Figure: f.name, Target: f.target}
		base := valuesOf(f, servers[0].name, results)
		for i, p := range servers {
			values := valuesOf(f, p.name, results)
			cell := cell{Server: p.name, Median: median(values), digits: f.digits, absent: p.absent}
			if i > 0 {
				cell.Ratio = median(ratios(base, values))
			}
			for _, res := range results {
				if res.Server == p.name {
					cell.Lost += res.Missing
				}
			}
			r.Cells = append(r.Cells, cell)
		}
		if r.Cells[0].Median != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

// valuesOf are a server's values by round.
func valuesOf(f figure, server string, results []*Result) map[int]float64 {
	values := make(map[int]float64)
	for _, r := range results {
		if v := f.of(r); r.Server == server && v != nil {
			values[r.Round] = *v
		}
	}
	return values
}

func ratios(base, values map[int]float64) map[int]float64 {
	out := make(map[int]float64)
	for round, v := range values {
		if b, ok := base[round]; ok && v > 0 {
			out[round] = b / v
		}
	}
	return out
}

// median is nil of nothing.
func median(values map[int]float64) *float64 {
	list := make([]float64, 0, len(values))
	for _, v := range values {
		list = append(list, v)
	}
	slices.Sort(list)
	n := len(list)
	if n == 0 {
		return nil
	}
	return measured((list[(n-1)/2] + list[n/2]) / 2)
}

// writeTable writes rows in Markdown. A ratio is that of the first server's
// figure by the other's.
func writeTable(w io.Writer, servers []*program, rows []row) error {
	var b strings.Builder
	b.WriteString("| case | figure |")
	for _, p := range servers {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString(" to reach |\n|---|---|")
	b.WriteString(strings.Repeat("---:|", len(servers)) + "---|\n")
	last := ""
	for _, r := range rows {
		name := r.Case
		if name == last {
			name = ""
		}
		last = r.Case
		fmt.Fprintf(&b, "| %s | %s |", name, r.Figure)
		for _, c := range r.Cells {
			b.WriteString(" " + c.String() + " |")
		}
		fmt.Fprintf(&b, " %s |\n", r.Target)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c cell) String() string {
	switch {
	case c.absent != "":
		return "not measured: " + strings.ReplaceAll(c.absent, "|", "/")
	case c.Median == nil:
		return "–"
	}
	text := grouped(strconv.FormatFloat(*c.Median, 'f', c.digits, 64))
	if c.Ratio != nil {
		text += fmt.Sprintf(" (%.2f×)", *c.Ratio)
	}
	if c.Lost > 0 {
		text += fmt.Sprintf(", lost %d", c.Lost)
	}
	return text
}

// grouped puts commas into a long number.
func grouped(number string) string {
	whole, rest, _ := strings.Cut(number, ".")
	if rest != "" {
		rest = "." + rest
	}
	first := len(whole) % 3
	if len(whole) <= 3 || strings.HasPrefix(whole, "-") {
		return whole + rest
	}
	var parts []string
	if first > 0 {
		parts = append(parts, whole[:first])
	}
	for i := first; i < len(whole); i += 3 {
		parts = append(parts, whole[i:i+3])
	}
	return strings.Join(parts, ",") + rest
}
