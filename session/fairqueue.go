package session

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

const (
	// maxWaiting is how many requests for history and lists of people may wait of
	// one address, or of one user where the address has no budget; one more is
	// answered busy at once.
	maxWaiting = 64
	// lineForgets is how many requests of a key are forgotten per second.
	lineForgets = 1
)

// line is where requests for pages wait for one of a number of places. Who has
// asked least lately is the next, so that one who seldom asks does not wait for
// all who ask as often as they can. Its methods may be called from any goroutine.
type line struct {
	lately *budget.Table // what was asked for, by key; fixed

	mu      sync.Mutex
	free    int // places
	came    uint64
	queue   queue
	waiting map[string]int // and being answered, by key
}

// waiter is a request that waits.
type waiter struct {
	rank  float64 // how much its key had asked for
	order uint64  // among equals
	index int     // in the queue; -1: not there any more
	turn  chan struct{}
}

func newLine(places int) *line {
	return &line{free: places, waiting: make(map[string]int), lately: budget.NewTable(budget.Rate{PerSecond: lineForgets, Burst: 1}, budget.Rate{}, maxStrangers)}
}

// join reports whether one more of a key may wait; leave undoes it.
func (l *line) join(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[key] >= maxWaiting {
		return false
	}
	l.waiting[key]++
	return true
}

func (l *line) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[key]--; l.waiting[key] == 0 {
		delete(l.waiting, key)
	}
}

// take waits for a place until ctx ends, and reports whether it got one, which
// give gives back.
func (l *line) take(ctx context.Context, key string, now time.Duration) bool {
	account := l.lately.Get(key, now)
	rank := account.Part(budget.First, now)
	account.Charge(budget.First, now, 1)
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return true
	}
	l.came++
	w := &waiter{rank: rank, order: l.came, turn: make(chan struct{})}
	heap.Push(&l.queue, w)
	l.mu.Unlock()
	select {
	case <-w.turn:
		return true
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.index < 0 {
		return true // its turn came meanwhile
	}
	heap.Remove(&l.queue, w.index)
	return false
}

func (l *line) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue.Len() == 0 {
		l.free++
		return
	}
	close(heap.Pop(&l.queue).(*waiter).turn)
}

// queue implements heap.Interface: the first is the next.
type queue []*waiter

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].rank != q[j].rank {
		return q[i].rank < q[j].rank
	}
	return q[i].order < q[j].order
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	w := x.(*waiter)
	w.index = len(*q)
	*q = append(*q, w)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.index = -1
	return w
}
