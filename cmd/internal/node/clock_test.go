package node

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestClockJumps(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		passed, shown, by time.Duration
		says              string
	}{
		{10 * s, 10 * s, 0, ""},
		{10 * s, 14 * s, 0, ""},
		{10 * s, 6 * s, 0, ""},
		{10 * s, time.Hour, time.Hour - 10*s, "set forward"},
		{10 * s, -time.Hour, -time.Hour - 10*s, "set back"},
		{0, 6 * s, 6 * s, "set forward"},
	} {
		var log bytes.Buffer
		n := &Node{log: zerolog.New(&log)}
		by := jump(c.passed, c.shown)
		n.tellJump(by)
		if by != c.by || (log.Len() == 0) != (c.says == "") || !strings.Contains(log.String(), c.says) {
			t.Errorf("%v passed and %v are shown: a jump of %v, told as %q", c.passed, c.shown, by, &log)
		}
	}
}
