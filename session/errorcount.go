package session

import (
	"slices"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// errorCounters count error events by their code. A code that a program's own
// handler made up counts as internal: a label must not be anything.
type errorCounters [len(wire.EventCodes)]atomic.Int64

func (c *errorCounters) add(code wire.Code) {
	i := slices.Index(wire.EventCodes[:], code)
	if i < 0 {
		i = slices.Index(wire.EventCodes[:], wire.Internal)
	}
	c[i].Add(1)
}

// Each calls fn with every code and its count.
func (c *errorCounters) Each(fn func(code wire.Code, count int64)) {
	for i, code := range wire.EventCodes {
		fn(code, c[i].Load())
	}
}
