package session

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

const (
	// maxQueued is how many requests for history and lists of users one address,
	// or one user where the address has no budget, may have waiting; one more is
	// answered busy at once.
	maxQueued = 64
	// usageDecay is how much the usage of a key decays, in requests per second.
	usageDecay = 1
)

// fairQueue is a semaphore for requests for pages, with a queue that is fair by
// key: the next slot goes to the key with the least recent usage, so that one
// that seldom asks does not wait behind those that ask all the time. Its
// methods may be called from any goroutine.
type fairQueue struct {
	usage *budget.Table // recent usage by key; fixed

	mu        sync.Mutex
	freeSlots int
	arrivals  uint64 // requests that have had to wait so far
	queue     queue
	waiting   map[string]int // requests waiting or being answered, by key
}

// waiter is a request that waits.
type waiter struct {
	rank    float64 // the usage of its key
	order   uint64  // of arrival, among equal ranks
	index   int     // in the queue; -1: no longer there
	granted chan struct{}
}

func newFairQueue(slots int) *fairQueue {
	return &fairQueue{freeSlots: slots, waiting: make(map[string]int), usage: budget.NewTable(budget.Rate{PerSecond: usageDecay, Burst: 1}, budget.Rate{}, maxIdleAccounts)}
}

// join counts one more request of a key, and reports false if there are too
// many; leave undoes it.
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

// acquire waits for a slot until ctx ends, and reports whether it got one;
// release gives it back.
func (q *fairQueue) acquire(ctx context.Context, key string, now time.Duration) bool {
	account := q.usage.Get(key, now)
	rank := account.Used(budget.First, now)
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
		return true // it was granted in the meantime
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

// queue implements heap.Interface; the first one is next.
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
