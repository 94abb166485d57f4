package rooms

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// TestJudge tells a log's life as looks a second apart.
func TestJudge(t *testing.T) {
	start := time.Unix(1000, 0)
	sec := func(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Second))) }
	bad, refused := errors.New("bad"), errors.New("insufficient resources")
	flow := func(stored, givenUp int64, oldest float64, why error) eventlog.Flow {
		f := eventlog.Flow{Acked: stored, Expired: givenUp, Why: why}
		if oldest > 0 {
			f.Oldest = sec(oldest)
		}
		return f
	}
	type step struct {
		look look
		want Reason
	}
	for name, story := range map[string][]step{
		"nothing happens":                     {{look{}, ""}, {look{}, ""}},
		"a connection is lost and comes back": {{look{lost: bad, store: bad}, ReasonDisconnected}, {look{}, ""}},
		"no leader":                           {{look{led: bad}, ReasonNoAnswer}, {look{}, ""}},
		"no majority":                         {{look{led: eventlog.ErrNoQuorum}, ReasonNoMajority}, {look{}, ""}},
		"the disk of the server beside is full": {
			{look{watched: true, store: bad}, ReasonStore},
			{look{watched: true}, ""},
		},
		"the probe is refused":    {{look{write: bad}, ReasonNotStored}, {look{}, ""}},
		"the probe has no answer": {{look{write: context.DeadlineExceeded}, ReasonNoAnswer}, {look{}, ""}},
		"a publish is slow": {
			{look{flow: flow(0, 0, 0.5, nil)}, ""},
			{look{flow: flow(0, 0, 0.5, nil)}, ""},
			{look{flow: flow(0, 0, 0.5, nil)}, ReasonNotStored},
			{look{flow: flow(1, 0, 0, nil)}, ""},
		},
		"one is slow and others are stored": {
			{look{flow: flow(1, 0, 0.5, nil)}, ""},
			{look{flow: flow(2, 0, 0.5, nil)}, ""},
			{look{flow: flow(3, 0, 0.5, nil)}, ""},
			{look{flow: flow(4, 1, 0, nil)}, ""},
		},
		"one without an id is given up": {
			{look{flow: flow(0, 1, 0, nil)}, ReasonNotStored},
			{look{flow: flow(0, 1, 0, nil)}, ReasonNotStored}, // nothing shows that the next would be stored
			{look{flow: flow(1, 1, 0, nil)}, ""},
		},
		"the same beside a server that says it is well": {
			{look{watched: true, flow: flow(0, 1, 0, nil)}, ReasonNotStored},
			{look{watched: true, flow: flow(0, 1, 0, nil)}, ""},
		},
		"what fails is another thing": {
			{look{led: bad, flow: flow(0, 1, 0, nil)}, ReasonNoAnswer},
			{look{flow: flow(0, 1, 0, refused)}, ReasonNotStored},
			{look{flow: flow(1, 1, 0, nil)}, ""},
		},
		"acks ceased in the midst of a flood": {
			{look{flow: flow(100, 0, 0.9, nil)}, ""},
			{look{flow: flow(200, 0, 1.9, nil)}, ""},
			{look{flow: flow(200, 0, 2.1, nil)}, ""},
			{look{flow: flow(200, 0, 2.1, nil)}, ""},
			{look{flow: flow(200, 0, 2.1, nil)}, ReasonNotStored},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h health
			for i, s := range story {
				s.look.at = sec(float64(i + 1))
				got, err := h.judge(s.look)
				if got != s.want || (err == nil) != (got == "") {
					t.Fatalf("look %d: %q (%v), want %q", i+1, got, err, s.want)
				}
			}
		})
	}
}

// TestUnreadyErrors: every reason has a sentence and something to do.
func TestUnreadyErrors(t *testing.T) {
	for _, r := range Reasons {
		e := &UnreadyError{Reason: r, Err: errors.New("/secret/path")}
		if e.Error() == "" || errors.Unwrap(e) == nil || e.Todo() == "" && r != ReasonStore {
			t.Errorf("%s: %q, to do %q", r, e, e.Todo())
		}
	}
}
