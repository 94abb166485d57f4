package bench

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want time.Duration
		bad  bool
	}{
		{in: "12 (roomd) S 1 12 12 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 9 0 100 1000 200", want: 2 * time.Second},
		{in: "12 (a) R (b) S 1 12 12 0 -1 4194560 900 0 0 0 1 2 0 0 20 0 9 0", want: 30 * time.Millisecond},
		{in: "12 (roomd) S 1 12 12", bad: true},
		{in: "12 (roomd) S 1 12 12 0 -1 4194560 900 0 0 0 x 50 0 0", bad: true},
		{in: "", bad: true},
	} {
		got, err := parseStat([]byte(tc.in))
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%q: %v, %v", tc.in, got, err)
		}
	}
}

func TestParseKB(t *testing.T) {
	const status = "Name:\troomd\nVmRSS:\t   12345 kB\nRss:                7 kB\nBad:  many kB\n"
	for _, tc := range []struct {
		name string
		want int64
		bad  bool
	}{{"VmRSS:", 12345 << 10, false}, {"Rss:", 7 << 10, false}, {"Bad:", 0, true}, {"None:", 0, true}} {
		got, err := parseKB([]byte(status), tc.name)
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%s: %d, %v", tc.name, got, err)
		}
	}
}

// The two sources of CPU time agree about this process, which has used some.
func TestOwnProcess(t *testing.T) {
	own := process{os.Getpid()}
	for begin, spent := time.Now(), time.Duration(0); spent < 2*clockTick; {
		used, err := own.cpu()
		if err != nil {
			t.Fatal(err)
		}
		if spent = used; time.Since(begin) > time.Minute {
			t.Fatalf("a minute of work used %v", used)
		}
	}
	data, err := own.read("stat")
	if err != nil {
		t.Fatal(err)
	}
	rounded, err := parseStat(data)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := own.cpu()
	if err != nil || rounded > exact || rounded < exact/2-2*clockTick {
		t.Errorf("/proc says %v, the clock a moment later %v (%v)", rounded, exact, err)
	}
	if rss, err := own.resident(); err != nil || rss < 1<<20 {
		t.Errorf("resident: %d bytes, %v", rss, err)
	}
}

func TestNoProcess(t *testing.T) {
	gone := process{maxPID}
	if _, err := gone.cpu(); err == nil {
		t.Error("a process that is not there has used CPU")
	}
	if _, err := gone.resident(); err == nil {
		t.Error("a process that is not there holds memory")
	}
}

// What several processes cost is added up, and one that is gone is an error.
func TestProcesses(t *testing.T) {
	own := process{os.Getpid()}
	one, err := own.cpu()
	if err != nil {
		t.Fatal(err)
	}
	both, err := processes{own, own}.cpu()
	if err != nil || both < 2*one {
		t.Errorf("twice this process has used %v (%v), once %v", both, err, one)
	}
	held, err := processes{own, own}.resident()
	if err != nil || held < 2<<20 {
		t.Errorf("twice this process holds %d bytes, %v", held, err)
	}
	if err := (processes{own}).forgetPeak(); err != nil {
		t.Fatal(err)
	}
	if peak, err := (processes{own, own}).peak(); err != nil || peak < held/2 || peak > 4*held {
		t.Errorf("twice this process held at most %d bytes, %v; now it is %d", peak, err, held)
	}
	if (processes{{maxPID}}).forgetPeak() == nil {
		t.Error("the peak of a process that is gone was reset")
	}
	if _, err := (processes{own, {maxPID}}).cpu(); err == nil {
		t.Error("the CPU of a process that is gone was added")
	}
	if _, err := (processes{own, {maxPID}}).resident(); err == nil {
		t.Error("the memory of a process that is gone was added")
	}
}
