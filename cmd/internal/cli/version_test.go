package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	stamped := func(modified string) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
			{Key: "CGO_ENABLED", Value: "0"}, {Key: "vcs.revision", Value: "5ef26231"}, {Key: "vcs.modified", Value: modified}}}
	}
	for _, tt := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{stamped("false"), "roomd v1.2.3 revision 5ef26231 go1.26.8"},
		{stamped("true"), "roomd v1.2.3 revision 5ef26231 (modified) go1.26.8"},
		{&debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}}, "roomd (devel) go1.26.8"},
		{&debug.BuildInfo{}, "roomd (unknown build)"},
	} {
		if got := buildOf(tt.info).describe("roomd"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if got := Version("roomctl"); !strings.HasPrefix(got, "roomctl ") || !strings.HasSuffix(got, runtime.Version()) {
		t.Errorf("this program is %q", got)
	}
}
