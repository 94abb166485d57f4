package session

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

const (
	// maxQueued is how many requests for history and lists of people may wait
	// of one address, or of one user where the address has no budget; one more
	// is answered busy at once.
	maxQueued = 64
	// usageDecay is how many requests per second the usage of a key decays by.
	usageDecay = 1
)

// fairQueue is a semaphore for requests for pages, with a queue that is fair by
// key: the next slot goes to the key that has asked least lately, so that one
// who seldom asks does not wait behind all who ask as often as they can. Its
// methods may be called from any goroutine.
type fairQueue struct {
	usage *budget.Table // what was asked for, by key; fixed

	mu        sync.Mutex
	freeSlots int
	arrivals  uint64 // requests that had to wait, ever
	queue     queue
	waiting   map[string]int // and being answered, by key
}

// waiter is a request that waits.
type waiter struct {
	rank    float64 // how much its key had asked for
	order   uint64  // of arrival, among equal ranks
	index   int     // in the queue; -1: not there any more
	granted chan struct{}
}

func newFairQueue(slots int) *fairQueue {
	return &fairQueue{freeSlots: slots, waiting: make(map[string]int), usage: budget.NewTable(budget.Rate{PerSecond: usageDecay, Burst: 1}, budget.Rate{}, maxStrangers)}
}

// join reports whether one more of a key may wait; leave undoes it.
func (q *fairQueue) join(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[key] >= maxQueued {
		return false
	}
	q.waiting[key]++
	return true
}

func (q *fairQueue) leave(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[key]--; q.waiting[key] == 0 {
		delete(q.waiting, key)
	}
}

// acquire waits for a place until ctx ends, and reports whether it got one,
// which give gives back.
func (q *fairQueue) acquire(ctx context.Context, key string, now time.Duration) bool {
	account := q.usage.Get(key, now)
	rank := account.Part(budget.First, now)
	account.Charge(budget.First, now, 1)
	q.mu.Lock()
	if q.freeSlots > 0 {
		q.freeSlots--
		q.mu.Unlock()
		return true
	}
	q.arrivals++
	w := &waiter{rank: rank, order: q.arrivals, granted: make(chan struct{})}
	heap.Push(&q.queue, w)
	q.mu.Unlock()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.index < 0 {
		return true // it was granted meanwhile
	}
	heap.Remove(&q.queue, w.index)
	return false
}

func (q *fairQueue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queue.Len() == 0 {
		q.freeSlots++
		return
	}
	close(heap.Pop(&q.queue).(*waiter).granted)
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
