package session

import (
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// closeCodes are the codes that are counted one by one. Any other counts as the
// last, and so does one of ours that a peer sent: it says nothing of us.
var closeCodes = [...]wire.CloseCode{
	wire.CloseNormal, wire.CloseGoing, wire.CloseProtocol, wire.CloseAbnormal, wire.CloseTooBig,
	wire.CloseDraining, wire.CloseTooSlow, wire.CloseNoHeartbeat, wire.ClosePositionLost,
	wire.CloseTokenExpired, wire.CloseForbidden, wire.CloseReplaced, wire.CloseRemoved,
	wire.CloseRateLimit, wire.CloseProtocolErrors, wire.CloseNoStatus,
}

type closeCounters [len(closeCodes)]atomic.Int64

func (c *closeCounters) add(code wire.CloseCode, byPeer bool) {
	if byPeer && code >= 3000 {
		code = wire.CloseNoStatus
	}
	for i, known := range closeCodes {
		if known == code || i == len(closeCodes)-1 {
			c[i].Add(1)
			return
		}
	}
}

// Each calls fn with every code that is counted and its count; CloseNoStatus
// stands for all other codes that clients chose.
func (c *closeCounters) Each(fn func(code wire.CloseCode, count int64)) {
	for i, code := range closeCodes {
		fn(code, c[i].Load())
	}
}
