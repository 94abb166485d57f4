package verify

import (
	"fmt"
	"time"
)

// delays are how long commands have waited for their answers. What a bot that has
// dropped its connection itself has waited is not among them.
type delays struct {
	byNode map[string]pause // the longest whose connection stayed, by the node that it was sent at
	lost   pause            // the longest whose connection was lost
	long   []pause          // those of longDelay and more, maxLongDelays at most
}

const (
	longDelay     = 100 * time.Millisecond
	maxLongDelays = 10_000
)

// waiting is a command without an answer.
type waiting struct {
	bot  *bot
	node string
	link int // the bot's connection when it was sent
	what string
	from time.Time
}

// over notes that the answer has come.
func (w waiting) over(now time.Time) {
	b := w.bot
	b.table.mu.Lock()
	stayed, left := b.links == w.link && b.connected, b.left >= w.link
	b.table.mu.Unlock()
	if !stayed && left {
		return
	}
	p := pause{From: w.from, To: now, Seconds: now.Sub(w.from).Seconds(), Where: fmt.Sprintf("%s at %s on %s, a %s", b.name, b.table.name, w.node, w.what)}
	r := b.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if stayed {
		r.delays.byNode[w.node] = longer(r.delays.byNode[w.node], p)
	} else {
		r.delays.lost = longer(r.delays.lost, p)
		p.Where += ", whose connection was lost"
	}
	if now.Sub(w.from) >= longDelay && len(r.delays.long) < maxLongDelays {
		r.delays.long = append(r.delays.long, p)
	}
}

// longest is the longest whose connection stayed.
func (w delays) longest() (p pause) {
	for _, one := range w.byNode {
		p = longer(p, one)
	}
	return p
}
