package actor_test

import (
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probe is a receiver that has all optional interfaces and does in each what
// the test says. Without receive it takes everything into got.
type probe struct {
	receive func(b *actor.Batch[int])
	stopped func(unread []int)
	failed  func(cause any)
	idle    func() bool
	got     []int
}

func (p *probe) Receive(b *actor.Batch[int]) {
	if p.receive != nil {
		p.receive(b)
		return
	}
	p.got = append(p.got, drain(b)...)
}

func (p *probe) Stopped(unread []int) {
	if p.stopped != nil {
		p.stopped(unread)
	}
}

func (p *probe) Failed(cause any) {
	if p.failed != nil {
		p.failed(cause)
	}
}

func (p *probe) Idle() bool { return p.idle == nil || p.idle() }

// plain is a receiver without any optional interface.
type plain func(b *actor.Batch[int])

func (f plain) Receive(b *actor.Batch[int]) { f(b) }

// always makes a start function that returns the same receiver each time.
func always(r actor.Receiver[int]) func(*actor.Ref[int]) actor.Receiver[int] {
	return func(*actor.Ref[int]) actor.Receiver[int] { return r }
}

func drain[M any](b *actor.Batch[M]) (all []M) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		all = append(all, m)
	}
	return all
}

func send[M any](t *testing.T, r *actor.Ref[M], messages ...M) {
	t.Helper()
	for _, m := range messages {
		if err := r.Send(m); err != nil {
			t.Fatalf("Send(%v) = %v, want nil", m, err)
		}
	}
}

// sink is a receiver that takes everything and no memory.
type sink struct{}

func (sink) Receive(b *actor.Batch[int]) {
	for _, ok := b.Next(); ok; _, ok = b.Next() {
	}
}

func awaitIdle[M any](r *actor.Ref[M]) {
	for !r.Idle() {
		runtime.Gosched()
	}
}
