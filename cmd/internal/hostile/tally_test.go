//go:build linux

package hostile

import (
	"bytes"
	"sync"
)

// tally is what the attackers of one attack sent and got.
type tally struct {
	mu        sync.Mutex
	opened    int64            // connections
	refused   map[string]int64 // those that were not opened, and why
	sent      int64            // events
	sentBytes int64
	got       int64 // frames
	gotBytes  int64
	acks      int64
	errors    map[string]int64 // error events, by code
	closed    map[int]int64    // connections that have ended, by close code; 1006: without one
}

func newTally() *tally {
	return &tally{refused: make(map[string]int64), errors: make(map[string]int64), closed: make(map[int]int64)}
}

func (t *tally) add(change func(*tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// read returns a value while nobody changes it.
func read[V any](t *tally, value func(*tally) V) V {
	t.mu.Lock()
	defer t.mu.Unlock()
	return value(t)
}

func (t *tally) refuse(why string) { t.add(func(t *tally) { t.refused[why]++ }) }

var (
	ackStart   = []byte(`{"type":"ack"`)
	errorStart = []byte(`{"type":"error"`)
	codeField  = []byte(`"code":"`)
)

func (t *tally) heard(op byte, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.got++
	t.gotBytes += int64(len(data))
	switch {
	case op != opText:
	case bytes.HasPrefix(data, ackStart):
		t.acks++
	case bytes.HasPrefix(data, errorStart):
		_, rest, _ := bytes.Cut(data, codeField)
		code, _, _ := bytes.Cut(rest, []byte(`"`))
		t.errors[string(code)]++
	}
}
