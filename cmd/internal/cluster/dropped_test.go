//go:build unix

package cluster

import (
	"strings"
	"testing"
	"time"
)

// TestTheLogsLeaderDiesAsStepsAreDropped: tables that keep few steps drop the older
// ones all the time. The leader of their log is killed as it has just dropped some,
// and loses its disk the next time; then all nodes start anew, from what is left.
func TestTheLogsLeaderDiesAsStepsAreDropped(t *testing.T) {
	beside(t)
	times := int(faults(t, 2, 6)) // a number, not a time
	c := startNATS(t)
	nodes := startNodes(t, c, 3, "--table-history", "100")
	k := startTalk(t, c, nodes)
	for i := range times {
		leader := c.leaderOf("STEPS")
		c.hears("$JS.EVENT.ADVISORY.API", `"$JS.API.STREAM.PURGE.STEPS"`)
		at := time.Now()
		if i%2 == 0 {
			leader.kill()
		} else {
			leader.wipe()
		}
		k.flowing()
		t.Logf("the leader was lost: everybody was answered after %.2fs", time.Since(at).Seconds())
		leader.start()
		c.ready()
	}
	for _, x := range nodes {
		x.kill()
	}
	for _, x := range nodes {
		x.start()
	}
	for _, x := range nodes {
		x.ready()
	}
	k.clean()
	for _, x := range nodes {
		text, err := get(t.Context(), "http://"+address(x.port)+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"\nroomd_tables_broken 0\n", "\nroomd_table_snapshots_damaged_total 0\n"} {
			if !strings.Contains(text, line) {
				t.Errorf("%s does not count %q", x.name, line)
			}
		}
	}
}
