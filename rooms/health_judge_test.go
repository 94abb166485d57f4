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
		look observation
		want Reason
	}
	for name, story := range map[string][]step{
		"nothing happens":                     {{observation{}, ""}, {observation{}, ""}},
		"a connection is lost and comes back": {{observation{disconnected: bad, store: bad}, ReasonDisconnected}, {observation{}, ""}},
		"no leader":                           {{observation{quorum: bad}, ReasonNoAnswer}, {observation{}, ""}},
		"no majority":                         {{observation{quorum: eventlog.ErrNoQuorum}, ReasonNoMajority}, {observation{}, ""}},
		"the disk of the server beside is full": {
			{observation{monitored: true, store: bad}, ReasonStore},
			{observation{monitored: true}, ""},
		},
		"the probe is refused":    {{observation{write: bad}, ReasonNotStored}, {observation{}, ""}},
		"the probe has no answer": {{observation{write: context.DeadlineExceeded}, ReasonNoAnswer}, {observation{}, ""}},
		"a publish is slow": {
			{observation{flow: flow(0, 0, 0.5, nil)}, ""},
			{observation{flow: flow(0, 0, 0.5, nil)}, ""},
			{observation{flow: flow(0, 0, 0.5, nil)}, ReasonNotStored},
			{observation{flow: flow(1, 0, 0, nil)}, ""},
		},
		"one is slow and others are stored": {
			{observation{flow: flow(1, 0, 0.5, nil)}, ""},
			{observation{flow: flow(2, 0, 0.5, nil)}, ""},
			{observation{flow: flow(3, 0, 0.5, nil)}, ""},
			{observation{flow: flow(4, 1, 0, nil)}, ""},
		},
		"one without an id is given up": {
			{observation{flow: flow(0, 1, 0, nil)}, ReasonNotStored},
			{observation{flow: flow(0, 1, 0, nil)}, ReasonNotStored}, // nothing shows that the next would be stored
			{observation{flow: flow(1, 1, 0, nil)}, ""},
		},
		"the same beside a server that says it is well": {
			{observation{monitored: true, flow: flow(0, 1, 0, nil)}, ReasonNotStored},
			{observation{monitored: true, flow: flow(0, 1, 0, nil)}, ""},
		},
		"what fails is another thing": {
			{observation{quorum: bad, flow: flow(0, 1, 0, nil)}, ReasonNoAnswer},
			{observation{flow: flow(0, 1, 0, refused)}, ReasonNotStored},
			{observation{flow: flow(1, 1, 0, nil)}, ""},
		},
		"acks ceased in the midst of a flood": {
			{observation{flow: flow(100, 0, 0.9, nil)}, ""},
			{observation{flow: flow(200, 0, 1.9, nil)}, ""},
			{observation{flow: flow(200, 0, 2.1, nil)}, ""},
			{observation{flow: flow(200, 0, 2.1, nil)}, ""},
			{observation{flow: flow(200, 0, 2.1, nil)}, ReasonNotStored},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h health
			for i, s := range story {
				s.look.at = sec(float64(i + 1))
				got, err := h.evaluate(s.look)
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
