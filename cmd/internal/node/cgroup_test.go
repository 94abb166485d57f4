package node

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestContainerLimit(t *testing.T) {
	const none = "9223372036854771712"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
		file  string
	}{
		{"no Linux", nil, 0, ""},
		{"version 2, in the container's own view", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20, "/sys/fs/cgroup/memory.max"},
		{"version 2, no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0, ""},
		{"version 2, at the top of the host", map[string]string{"proc/self/cgroup": "0::/\n"}, 0, ""},
		{"version 2, the lowest of those around it", map[string]string{
			"proc/self/cgroup":                                    "0::/system.slice/roomd.service\n",
			"sys/fs/cgroup/system.slice/memory.max":               "268435456\n",
			"sys/fs/cgroup/system.slice/roomd.service/memory.max": "536870912\n",
		}, 256 << 20, "/sys/fs/cgroup/system.slice/memory.max"},
		{"version 1", map[string]string{"proc/self/cgroup": "12:pids:/a\n4:cpu,memory:/docker/1\n0::/\n", "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "1073741824\n"}, 1 << 30, "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes"},
		{"version 1, in a container with the host's path", map[string]string{"proc/self/cgroup": "4:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n"}, 1 << 30, "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
		{"version 1, no limit", map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": none}, 0, ""},
		{"nonsense", map[string]string{"proc/self/cgroup": "x\n0::/\n", "sys/fs/cgroup/memory.max": "lots"}, 0, ""},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if limit, file := containerLimit(root); limit != c.want || file != c.file {
			t.Errorf("%s: %d from %q, want %d from %q", c.name, limit, file, c.want, c.file)
		}
	}
}

func TestBudgetsFor(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name         string
		limit, rings int64
		want         budgets
	}{
		{"no limit", math.MaxInt64, 128 * mib, budgets{128 * mib, 64 * mib, 32 * mib, 32 * mib, 32 * mib, 32 * mib, 32 * mib}},
		{"a small container", 256 * mib, 128 * mib, budgets{64 * mib, 32 * mib, 16 * mib, 16 * mib, 16 * mib, 16 * mib, 16 * mib}},
		{"a flag below its part", 256 * mib, 8 * mib, budgets{8 * mib, 32 * mib, 16 * mib, 16 * mib, 16 * mib, 16 * mib, 16 * mib}},
		{"rings without a limit", 1 << 40, 0, budgets{-1, 64 * mib, 32 * mib, 32 * mib, 32 * mib, 32 * mib, 32 * mib}},
		{"hardly any", 4 * mib, 128 * mib, budgets{mib, mib, mib, mib, mib, mib, mib}},
	} {
		if got := budgetsFor(c.limit, c.rings); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
