package session

import (
	"sync"
	"time"
)

// wheelSteps is how many steps of the wheel one ping interval has: clients due
// in the same step (a second by default) are woken together, because waking an
// idle process costs as much as ten pings.
const wheelSteps = 25

// wheel is a timer wheel: it wakes clients when they are due, with one timer
// for all of them.
type wheel struct {
	// fixed after newWheel
	started time.Time
	step    time.Duration
	wake    func(*Client) // must not block; two ticks may call it at once

	mu    sync.Mutex
	slots [][]*Client // by step, modulo the number of slots
	at    int64       // the step that was reached
	count int         // clients in the slots
	timer *time.Timer // runs while there are any
}

// wheelEntry is a client's entry in the wheel, guarded by wheel.mu.
type wheelEntry struct {
	step  int64
	index int32 // in its slot
	in    bool
}

func newWheel(step time.Duration, wake func(*Client)) *wheel {
	w := &wheel{started: time.Now(), step: step, wake: wake, slots: make([][]*Client, wheelSteps+2)}
	w.timer = time.AfterFunc(time.Hour, w.tick)
	w.timer.Stop()
	return w
}

// set has the client woken after d, or up to one step earlier, but not before
// the next step. A time beyond a full turn of the wheel wakes it after that
// turn. It replaces what was set before.
func (w *wheel) set(c *Client, d time.Duration) {
	now := time.Since(w.started)
	step := int64((now + d) / w.step)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(c)
	if w.count == 0 {
		w.at = int64(now / w.step)
		w.arm(now)
	}
	step = min(max(step, w.at+1), w.at+int64(len(w.slots))-1)
	slot := w.slot(step)
	c.wheelEntry = wheelEntry{in: true, step: step, index: int32(len(*slot))}
	*slot = append(*slot, c)
	w.count++
}

// drop removes a client.
func (w *wheel) drop(c *Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(c)
	if w.count == 0 {
		w.timer.Stop()
	}
}

// remove needs mu.
func (w *wheel) remove(c *Client) {
	if !c.wheelEntry.in {
		return
	}
	slot := w.slot(c.wheelEntry.step)
	end := len(*slot) - 1
	last := (*slot)[end]
	(*slot)[c.wheelEntry.index] = last
	last.wheelEntry.index = c.wheelEntry.index
	(*slot)[end] = nil
	*slot = (*slot)[:end]
	c.wheelEntry.in = false
	w.count--
}

func (w *wheel) slot(step int64) *[]*Client { return &w.slots[step%int64(len(w.slots))] }

// arm sets the timer for the next step. It needs mu.
func (w *wheel) arm(now time.Duration) {
	w.timer.Reset(time.Duration(w.at+1)*w.step - now)
}

// tick wakes all clients that are due. It runs on the timer's goroutine.
func (w *wheel) tick() {
	for _, c := range w.due() {
		w.wake(c)
	}
}

// due removes and returns the clients of all steps up to now.
func (w *wheel) due() (due []*Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Since(w.started)
	for reached := int64(now / w.step); w.at < reached && w.count > 0; {
		w.at++
		slot := w.slot(w.at)
		for _, c := range *slot {
			c.wheelEntry.in = false
		}
		w.count -= len(*slot)
		due = append(due, *slot...)
		*slot = nil // a slot that once held many need not keep their memory
	}
	if w.count > 0 {
		w.arm(now)
	}
	return due
}
