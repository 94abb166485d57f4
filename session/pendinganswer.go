package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// pendingAnswer waits for the outcomes of a handler and of everything that it
// published, and gives one answer when the last of them is there: the first
// error if there is one, else the ack of what was published last.
type pendingAnswer struct {
	answer func(room string, stored rooms.PubAck, err error) // fixed

	mu          sync.Mutex
	outstanding int // outcomes that are still to come
	publishes   int // publishes
	latest      int // number of the publish that room and ack are of
	room        string
	ack         rooms.PubAck
	err         error
}

// newPendingAnswer begins with one outcome to come, the handler's.
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

// published is the outcome of publish n.
func (p *pendingAnswer) published(n int, room string, stored rooms.PubAck, err error) {
	p.mu.Lock()
	if n > p.latest {
		p.latest, p.room, p.ack = n, room, stored
	}
	p.mu.Unlock()
	p.done(err)
}

// done is one outcome: of the handler, or by published.
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
