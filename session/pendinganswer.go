package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// tally joins the outcomes of a handler and of everything it published into
// one answer, which is given when the last of them is there: the first error
// if there is one, else the place of what was published last.
type tally struct {
	answer func(room string, stored rooms.PubAck, err error) // fixed

	mu     sync.Mutex
	left   int // outcomes that are still to come
	begun  int // publishes
	newest int // number of the publish that room and stored are of
	room   string
	stored rooms.PubAck
	err    error
}

// newTally begins with one outcome to come, the handler's.
func newTally(answer func(room string, stored rooms.PubAck, err error)) *tally {
	return &tally{answer: answer, left: 1}
}

// add announces a publish and returns its number, from 1.
func (t *tally) add() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left++
	t.begun++
	return t.begun
}

// published is the outcome of publish n.
func (t *tally) published(n int, room string, stored rooms.PubAck, err error) {
	t.mu.Lock()
	if n > t.newest {
		t.newest, t.room, t.stored = n, room, stored
	}
	t.mu.Unlock()
	t.done(err)
}

// done is one outcome: of the handler, or by published.
func (t *tally) done(err error) {
	t.mu.Lock()
	t.left--
	if t.err == nil {
		t.err = err
	}
	last := t.left == 0
	t.mu.Unlock()
	if last {
		t.answer(t.room, t.stored, t.err)
	}
}
