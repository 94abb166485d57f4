//go:build unix

package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// verdict is what roomctl verify --json prints.
type verdict struct {
	Phase          string
	Run            string
	Seconds        float64
	Sent           int
	Acknowledged   int
	Duplicates     int
	Unacknowledged int
	Delivered      int
	Lost           int
	Repeated       int
	OutOfOrder     int `json:"out_of_order"`
	Disagreements  int
	Refreshes      int
	Reconnects     int
	Away           int
	Errors         map[string]int
	GaveUp         string `json:"gave_up"`
	LongestPause   pause  `json:"longest_pause"`
	LongestSilence pause  `json:"longest_silence"`
}

type pause struct {
	From, To time.Time
	Seconds  float64
	Where    string
}

// The load of every fault: 10 events per second and room, so that who is away
// for 20 s and more can still resume.
const (
	loadRooms      = 6
	loadPublishers = 12
	loadMembers    = 24
	loadRate       = 60
	loadSettle     = 60 * time.Second
)

// load is a roomctl verify against all nodes.
type load struct {
	process
	lines chan verdict
}

// startLoad sends until clean ends it.
func startLoad(t *testing.T, nodes []*node) *load {
	t.Helper()
	l := &load{lines: make(chan verdict, 1<<14)}
	l.process = startVerify(t, nodes, l.lines, "--publishers", fmt.Sprint(loadPublishers), "--members", fmt.Sprint(loadMembers),
		"--rooms", fmt.Sprint(loadRooms), "--rate", fmt.Sprint(loadRate), "--settle", loadSettle.String())
	return l
}

// startVerify starts a roomctl verify that ends when it is interrupted. What it
// prints goes to lines, which is closed when it has ended.
func startVerify[V any](t *testing.T, nodes []*node, lines chan<- V, flags ...string) process {
	t.Helper()
	args := append([]string{"verify", "--json", "--progress", "200ms", "--duration", "1h"}, flags...)
	for _, x := range nodes {
		args = append(args, "--url", x.ws())
	}
	out, in := io.Pipe()
	p := process{t: t, name: "verify", path: roomctlProgram(t), args: args, out: in,
		env: []string{"PATH=" + os.Getenv("PATH"), "ROOMCTL_JWT_KEY=" + jwtKey, "ROOMCTL_API_KEY=" + apiKey}}
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 4<<20)
		for scanner.Scan() {
			var d V
			if err := json.Unmarshal(scanner.Bytes(), &d); err != nil {
				t.Errorf("verify printed %q: %v", scanner.Bytes(), err)
			}
			lines <- d
		}
	}()
	p.start()
	t.Cleanup(func() { in.Close() })
	return p
}

// flowing waits until so many more events than now were acknowledged.
func (l *load) flowing(events int) verdict {
	l.t.Helper()
	first := -1
	over := time.After(60 * time.Second)
	for {
		select {
		case d, ok := <-l.lines:
			switch {
			case !ok || d.Phase == "verdict":
				l.t.Fatalf("the load is over before %d events were acknowledged: %+v", events, d)
			case d.Phase == "joining":
			case first < 0:
				first = d.Acknowledged
			case d.Acknowledged >= first+events:
				return d
			}
		case <-over:
			l.t.Fatalf("no %d events were acknowledged in a minute", events)
		}
	}
}

// clean lets events flow a while, ends the load and waits for the verdict.
// Nothing may be lost, repeated or out of order,
// everything must have been stored in the end, and nobody had to refresh.
func (l *load) clean() verdict {
	l.t.Helper()
	l.flowing(3 * loadRate)
	l.signal(syscall.SIGINT)
	var last verdict
	over := time.After(5 * time.Minute)
	for last.Phase != "verdict" {
		select {
		case d, ok := <-l.lines:
			if !ok {
				l.t.Fatalf("verify ended without a verdict: %v", l.wait(time.Minute))
			}
			last = d
		case <-over:
			l.t.Fatal("no verdict after 5 minutes")
		}
	}
	if err := l.wait(time.Minute); err != nil {
		l.t.Errorf("roomctl verify: %v", err)
	}
	if last.Lost+last.Repeated+last.OutOfOrder+last.Disagreements+last.Unacknowledged+last.Refreshes+last.Away > 0 || last.Acknowledged == 0 {
		l.t.Errorf("lost %d, repeated %d, out of order %d, disagreements %d, unacknowledged %d, refreshes %d, away %d",
			last.Lost, last.Repeated, last.OutOfOrder, last.Disagreements, last.Unacknowledged, last.Refreshes, last.Away)
	}
	l.t.Logf("sent %d, acknowledged %d (%d duplicates), delivered %d, reconnects %d, error answers %v",
		last.Sent, last.Acknowledged, last.Duplicates, last.Delivered, last.Reconnects, last.Errors)
	return last
}

// report prints the time from the fault until events flow again: in every
// room, and to every member.
func (d verdict) report(t *testing.T, fault string, at time.Time) (rooms time.Duration) {
	t.Helper()
	rooms = d.LongestPause.after(at)
	t.Logf("%s: events flow again in every room after %.2fs, to every member after %.2fs (%s)", fault,
		rooms.Seconds(), d.LongestSilence.after(at).Seconds(), d.LongestSilence.Where)
	return rooms
}

// after is how long after at the pause ended; 0 when it has nothing to do with
// it.
func (p pause) after(at time.Time) time.Duration {
	const until = 500 * time.Millisecond // what is under way when the fault comes may still arrive
	if p.From.After(at.Add(until)) {
		return 0
	}
	return max(0, p.To.Sub(at))
}
