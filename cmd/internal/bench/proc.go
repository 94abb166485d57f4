package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockTick is what /proc counts CPU time in: USER_HZ is 100 on every
// architecture that Go knows.
const clockTick = 10 * time.Millisecond

// maxPID is above every process of Linux.
const maxPID = 1<<22 + 1

// process is one of a server, as /proc shows it.
type process struct{ pid int }

// cpu is the time that all threads have spent so far, in user and system mode.
// The process's clock says it in nanoseconds; utime and stime of /proc are the
// same sum, rounded.
func (p process) cpu() (time.Duration, error) {
	if used, err := cpuClock(p.pid); err == nil {
		return used, nil
	}
	data, err := p.read("stat")
	if err != nil {
		return 0, err
	}
	return parseStat(data)
}

// resident is the memory the process holds, in bytes.
func (p process) resident() (int64, error) {
	// The sum over the mappings is exact; status is off by what each CPU has
	// not yet added, and is all that another user's process shows.
	data, err := p.read("smaps_rollup")
	if err == nil && len(data) > 0 {
		return parseKB(data, "Rss:")
	}
	if data, err = p.read("status"); err != nil {
		return 0, err
	}
	return parseKB(data, "VmRSS:")
}

// peak is the most memory the process has held since forgetPeak, in bytes.
func (p process) peak() (int64, error) {
	data, err := p.read("status")
	if err != nil {
		return 0, err
	}
	return parseKB(data, "VmHWM:")
}

func (p process) forgetPeak() error {
	const resetPeak = "5" // proc(5), clear_refs
	if err := os.WriteFile(filepath.Join("/proc", strconv.Itoa(p.pid), "clear_refs"), []byte(resetPeak), 0); err != nil {
		return fmt.Errorf("reset what the server held at most: %w", err)
	}
	return nil
}

// processes are those of one server.
type processes []process

// cpu is what all have spent together.
func (all processes) cpu() (sum time.Duration, err error) {
	for _, p := range all {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// resident is what all hold together; 0 when there are none.
func (all processes) resident() (sum int64, err error) {
	for _, p := range all {
		held, err := p.resident()
		if err != nil {
			return 0, err
		}
		sum += held
	}
	return sum, nil
}

// peak is the sum of what each has held at most, be it at different times.
func (all processes) peak() (sum int64, err error) {
	for _, p := range all {
		held, err := p.peak()
		if err != nil {
			return 0, err
		}
		sum += held
	}
	return sum, nil
}

func (all processes) forgetPeak() error {
	for _, p := range all {
		if err := p.forgetPeak(); err != nil {
			return err
		}
	}
	return nil
}

func (p process) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), name))
	if err != nil {
		return nil, fmt.Errorf("read what the server costs: %w", err)
	}
	return data, nil
}

// parseStat reads utime and stime of /proc/PID/stat. The command, which comes
// before them, may hold spaces and brackets.
func parseStat(data []byte) (time.Duration, error) {
	const utime, stime = 11, 12 // counted after the command
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc stat has %d fields after the command: %q", len(fields), data)
	}
	user, err1 := strconv.ParseInt(string(fields[utime]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc stat has no times: %q", data)
	}
	return time.Duration(user+system) * clockTick, nil
}

// parseKB reads the line "name  N kB".
func parseKB(data []byte, name string) (int64, error) {
	for line := range bytes.Lines(data) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc has %q", line)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("/proc has no %s", name)
}
