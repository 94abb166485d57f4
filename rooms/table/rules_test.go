package table_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// TestLongRefusal: what is kept with a command does not grow with what was sent.
func TestLongRefusal(t *testing.T) {
	for _, said := range []string{strings.Repeat("x", 20_000), strings.Repeat("龍", 20_000), "\xff" + strings.Repeat("龍", 20_000)} {
		reason := table.Refuse("not on %s", said).Error()
		if len(reason) > table.MaxRefusal || len(reason) < table.MaxRefusal-8 || !utf8.ValidString(reason) || !strings.HasSuffix(reason, "…") {
			t.Errorf("%d bytes: %q", len(reason), reason)
		}
	}
	if reason := table.Refuse("no").Error(); reason != "no" {
		t.Errorf("%q", reason)
	}
}
