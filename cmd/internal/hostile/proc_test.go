//go:build linux

package hostile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// status is a line of /proc/PID/status in bytes.
func (s *server) status(name string) int64 {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.alive()
		s.t.Fatalf("read what the server holds: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == name {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				s.t.Fatalf("/proc says %q", line)
			}
			return kb << 10
		}
	}
	s.t.Fatalf("/proc has no %s", name)
	return 0
}

// peak is the most memory that the process held since forgetPeak.
func (s *server) peak() int64 { return s.status("VmHWM:") }

func (s *server) resident() int64 { return s.status("VmRSS:") }

func (s *server) forgetPeak() {
	s.t.Helper()
	const resetPeak = "5" // proc(5), clear_refs
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte(resetPeak), 0); err != nil {
		s.t.Fatalf("forget what the server held at most: %v", err)
	}
}
