package bench

// counters are sums over the connections of a reader.
type counters struct {
	delivered  uint64 // messages, each counted at each member
	misordered uint64 // messages that were duplicates or out of order
	sent       uint64
	acked      uint64
	late       uint64 // messages that were not sent, being late: see lateBy
	texts      uint64 // frames of any kind
	reads      uint64 // system calls that returned data
	bytes      uint64 // that those returned

	presenceBytes  uint64
	presenceFrames uint64

	refused uint64 // errors that the server answered
	closed  uint64 // connections that the server ended
}

func (c *counters) add(o counters) {
	c.delivered += o.delivered
	c.misordered += o.misordered
	c.sent += o.sent
	c.acked += o.acked
	c.late += o.late
	c.texts += o.texts
	c.reads += o.reads
	c.bytes += o.bytes
	c.presenceBytes += o.presenceBytes
	c.presenceFrames += o.presenceFrames
	c.refused += o.refused
	c.closed += o.closed
}
