//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestTheLogOfTablesIsFull: tables at which one thing was said, too large to keep,
// fill the log on three servers. Commands are refused as busy there and where people
// talk, by a reason that roomctl prints; nothing that was acknowledged is lost; and
// when those tables need less all goes on.
func TestTheLogOfTablesIsFull(t *testing.T) {
	beside(t)
	faults(t, 0, 0)
	c := startNATS(t)
	nodes := startNodes(t, c, 3, "--table-bytes", "4MiB")
	k := startTalk(t, c, nodes)
	say := func(ctx context.Context, i, size int) error {
		var answer struct{ Seq uint64 }
		body := map[string]any{"type": wire.TypeSendMessage, "payload": wire.SendMessage{Message: strings.Repeat("x", size)}}
		return nodes[i%3].ask(ctx, http.MethodPost, roomPath(fillTable(i))+"/events", body, &answer)
	}
	filled := 0
	for _, size := range []int{200 << 10, 20 << 10, 2 << 10} {
		for err := error(nil); err == nil; filled++ {
			if err = say(t.Context(), filled, size); err != nil && !strings.Contains(err.Error(), `"busy"`) {
				t.Fatalf("table %d: %v", filled, err)
			}
			if filled > 400 {
				t.Fatal("400 tables fit")
			}
		}
	}
	eventually(t, "people are told that it is full", time.Minute, func(context.Context) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.busy == 0 {
			return errors.New("nobody was")
		}
		return nil
	})
	eventually(t, "roomctl says why", time.Minute, func(context.Context) error {
		var out bytes.Buffer
		ctl := &process{t: t, name: "roomctl", path: roomctlProgram(t), out: &out, env: []string{"PATH=" + os.Getenv("PATH"), "ROOMCTL_JWT_KEY=" + jwtKey},
			args: []string{"send", fillTable(0), strings.Repeat("x", 15<<10), "--url", nodes[0].ws()}}
		var said []string
		ctl.said = func(line string) { said = append(said, line) }
		ctl.start()
		if err := ctl.wait(time.Minute); err == nil || !strings.Contains(strings.Join(said, "\n"), "the log of tables is full") {
			return fmt.Errorf("%v: %q, %s", err, said, out.Bytes())
		}
		return nil
	})
	full := false
	for _, x := range nodes {
		full = full || x.counted(t.Context(), "roomd_table_full_total ") == nil
	}
	if !full {
		t.Error("no node counts that the log is full")
	}

	for i := range filled { // what is said now is all that each keeps
		eventually(t, fillTable(i)+" says less", time.Minute, func(ctx context.Context) error { return say(ctx, i, 1) })
	}
	k.flowing()
	k.clean()
	t.Logf("%d tables filled the log; %d times somebody was told that it is full", filled, k.busy)
}

func fillTable(i int) string { return fmt.Sprint("baccarat-fill-", i) }
