package node

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// noLimit is from which number on a limit is none: version 1 of control groups writes the largest number of pages.
const noLimit = 1 << 60

// containerLimit is the memory limit of the control group that the process is in, or of one around it, whichever is
// lowest, and the file that says so; 0: there is none, or no control groups. root is the file system's.
func containerLimit(root fs.FS) (limit int64, file string) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "" // no Linux, or no /proc
	}
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		// number:controllers:path
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, name := "", ""
		switch {
		case parts[1] == "":
			base, name = "sys/fs/cgroup", "memory.max"
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			base, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// In a container the path may be the host's, and the files those of the container at the top: so all the way up.
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			at := path.Join(base, dir, name)
			if n := readLimit(root, at); n > 0 && (limit == 0 || n < limit) {
				limit, file = n, "/"+at
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit, file
}

// readLimit is the number in a file; 0 if there is none, or no file.
func readLimit(root fs.FS, file string) int64 {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0 // not mounted, or above what the container sees
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= noLimit {
		return 0 // "max"
	}
	return n
}
