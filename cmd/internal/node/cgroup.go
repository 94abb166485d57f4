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

// noLimit is the number from which on there is no limit: cgroups v1 report the
// largest number of pages.
const noLimit = 1 << 60

// containerLimit returns the lowest memory limit of the process's cgroup and
// its ancestors, and the file that it is in; 0: there is none, or no cgroups.
// root is that of the file system.
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
		// In a container the path may be that on the host, while the files at
		// the root are the container's: so walk up to the root.
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

// readLimit returns the number in a file; 0 if there is none, or no file.
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
