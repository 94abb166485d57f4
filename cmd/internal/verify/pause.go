package verify

import "time"

// pause is a period without deliveries.
type pause struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Seconds float64   `json:"seconds"`
	Where   string    `json:"where"` // the room, or the member and its room
}

func longer(a, b pause) pause {
	if b.Seconds > a.Seconds {
		return b
	}
	return a
}

// quiet finds the longest pause between deliveries, from the beginning of the
// load to its end. The zero value waits for begin. It is not safe for
// concurrent use.
type quiet struct {
	last    time.Time // zero: not begun
	end     time.Time // zero: not ended
	longest pause
}

func (q *quiet) begin(now time.Time) { q.last = now }

// heard records a delivery. One after the end closes a pause that began before
// it.
func (q *quiet) heard(now time.Time) {
	if q.last.IsZero() || !q.end.IsZero() && q.last.After(q.end) {
		return
	}
	q.close(now)
	q.last = now
}

// stop ends the load.
func (q *quiet) stop(now time.Time) { q.end = now }

// soFar returns the longest pause up to now, or the result at the end.
func (q *quiet) soFar(end bool, where string) pause {
	if end {
		return q.result(where)
	}
	p := q.longest
	p.Where = where
	return p
}

// result is the longest pause; one that lasted until the end of the load is
// counted up to there.
func (q *quiet) result(where string) pause {
	if !q.end.IsZero() && q.last.Before(q.end) {
		q.close(q.end)
		q.last = q.end
	}
	return q.soFar(false, where)
}

func (q *quiet) close(now time.Time) {
	if s := now.Sub(q.last).Seconds(); s > q.longest.Seconds {
		q.longest = pause{From: q.last, To: now, Seconds: s}
	}
}
