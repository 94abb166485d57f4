package baccarat

import "time"

// clocksDiffer is by how much the clock of a node that decides and that of the log,
// which times its steps, may differ.
const clocksDiffer = 2 * time.Second

// stored is the step of the present event, and the one before it.
type stored struct {
	seq    uint64
	at     int64 // ms since 1970; 0: that is not known
	before int64 // the time of the step before, likewise
}

func (s *stored) next(seq uint64, at int64) {
	if seq != s.seq {
		s.before = s.at
	}
	s.seq, s.at = seq, at
}

// inTime checks that a bet was placed, or taken back, before betting was to end. A
// log that takes nothing for a while stores the one step that waits for it late; the
// next one was decided after that.
func (c *Checker) inTime(uid string) {
	late := after(c.closesAt, clocksDiffer)
	switch {
	case c.step.at <= late:
	case c.step.before > late:
		c.fault("a bet of %s comes %d ms after betting was to end, or clocks differ by so much", uid, c.step.at-c.closesAt)
	case c.lateRound != c.round:
		c.lateRound = c.round
		c.shoe.Late++
	}
}

// extendedInTime checks that betting is not extended by more, or more often, than it
// may be.
func (c *Checker) extendedInTime(closesAt int64) {
	c.extended++
	c.must(c.extended <= MaxExtensions, "betting is extended %d times in round %d, and may be %d times", c.extended, c.round, MaxExtensions)
	left := closesAt - c.step.at
	c.must(c.step.at == 0 || left <= after(0, ExtendedBetTime+clocksDiffer), "betting is extended to %d ms from then, by at most %v, or clocks differ by more than %v", left, ExtendedBetTime, clocksDiffer)
}

// closedInTime checks that betting does not end before it was to.
func (c *Checker) closedInTime() {
	c.must(c.step.at == 0 || after(c.step.at, clocksDiffer) >= c.closesAt, "betting is closed %d ms before it was to end, or clocks differ by so much", c.closesAt-c.step.at)
}
