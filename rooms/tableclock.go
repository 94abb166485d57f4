package rooms

import (
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// maxSkew is by how much this node's clock may differ from that of the NATS server
// that leads the log of steps: nodes with NTP differ by less.
const maxSkew = time.Second

// tableClock is the time that tables go by: this node's, unless that is clearly
// wrong. A node whose clock is ahead would close no betting for as long when
// another one takes over, and forget at once which commands it has decided. The
// clock of the log, which every node asks where it stands, is one for all.
type tableClock struct {
	own   func() time.Time
	ahead atomic.Int64 // by how much own is ahead of the log's clock, in ns; 0: not more than maxSkew
}

func (c *tableClock) now() time.Time { return c.own().Add(-time.Duration(c.ahead.Load())) }

// until is time.Until for a time in ms since 1970.
func (c *tableClock) until(at int64) time.Duration { return time.UnixMilli(at).Sub(c.now()) }

// compare takes what the log's server says the time is, between two times of the
// own clock.
func (c *tableClock) compare(asked, answered, server time.Time, log *zerolog.Logger) {
	ahead := skewOf(asked, answered, server)
	before := time.Duration(c.ahead.Swap(int64(ahead)))
	switch off := ahead - before; {
	case ahead != 0 && (off > maxSkew || off < -maxSkew):
		log.Error().Dur("ahead_ms", ahead).Msg("this node's clock differs from that of the NATS server that leads the log of tables; tables go by the latter: have both set by NTP")
	case ahead == 0 && before != 0:
		log.Info().Msg("this node's clock is right again")
	}
}

// skewOf is by how much a clock is ahead at least that showed asked before and
// answered after another one showed server; 0 when that may be less than maxSkew.
func skewOf(asked, answered, server time.Time) time.Duration {
	asked, answered = asked.Round(0), answered.Round(0) // the clock on the wall
	switch {
	case server.IsZero():
	case asked.Sub(server) > maxSkew:
		return asked.Sub(server)
	case server.Sub(answered) > maxSkew:
		return answered.Sub(server)
	}
	return 0
}
