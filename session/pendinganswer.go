package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// pendingAnswer waits for the outcomes of a handler and of everything that it
// published, and answers once after the last of them: with the first error, or
// else with the ack of the last publish.
type pendingAnswer struct {
	answer func(room string, stored rooms.PubAck, err error) // fixed

	mu          sync.Mutex
	outstanding int // outcomes that are still missing
	publishes   int // how many there were
	latest      int // number of the publish that room and ack belong to
	room        string
	ack         rooms.PubAck
	err         error
}

// newPendingAnswer starts with one missing outcome, the handler's.
func newPendingAnswer(answer func(room string, stored rooms.PubAck, err error)) *pendingAnswer {
	return &pendingAnswer{answer: answer, outstanding: 1}
}

// add announces a publish and returns its number, from 1.
func (p *pendingAnswer) add() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outstanding++
	p.publishes++
	return p.publishes
}

// published takes the outcome of publish n.
func (p *pendingAnswer) published(n int, room string, stored rooms.PubAck, err error) {
	p.mu.Lock()
	if n > p.latest {
		p.latest, p.room, p.ack = n, room, stored
	}
	p.mu.Unlock()
	p.done(err)
}

// done takes one outcome: the handler's, or one from published.
func (p *pendingAnswer) done(err error) {
	p.mu.Lock()
	p.outstanding--
	if p.err == nil {
		p.err = err
	}
	last := p.outstanding == 0
	p.mu.Unlock()
	if last {
		p.answer(p.room, p.ack, p.err)
	}
}
