package node

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTablesPage: the metrics that cmd/roomd/TABLES.md has operators watch are
// served, under those names.
func TestTablesPage(t *testing.T) {
	page, err := os.ReadFile("../../roomd/TABLES.md")
	if err != nil {
		t.Fatal(err)
	}
	served := serve(t, testConfig()).want(t, 200, "GET", "/metrics", "").body
	names := regexp.MustCompile(`roomd_table[a-z_]*(_total|_seconds|_begun|_broken|_differ|_busy|_owned)\b|roomd_log_bytes`).FindAllString(string(page), -1)
	if len(names) < 12 {
		t.Errorf("the page names only %v", names)
	}
	for _, name := range names {
		if !strings.Contains(served, "\n# TYPE "+name+" ") {
			t.Errorf("the page names the metric %s, which is not served", name)
		}
	}
}
