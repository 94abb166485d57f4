package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTable: an operator looks at a table, and cannot resume one that runs, nor a
// room that is none.
func TestTable(t *testing.T) {
	_, env := startServer(t)
	out, err := call(t, env, "table", "inspect", "baccarat-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"table     baccarat-1, decided by node ", "state     {", `"phase":"resting"`, "then      rests until somebody comes", "snapshot  "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	out, err = call(t, env, "table", "inspect", "baccarat-1", "--json")
	var info tableInfo
	if err != nil || json.Unmarshal([]byte(out), &info) != nil || info.Name != "baccarat-1" || info.Rules != 1 {
		t.Errorf("as JSON: %s (%v)", out, err)
	}
	if _, err := call(t, env, "table", "resume", "baccarat-1"); err == nil || !strings.Contains(err.Error(), "has not stopped") {
		t.Errorf("resumed: %v", err)
	}
	if _, err := call(t, env, "table", "inspect", "general"); err == nil || !strings.Contains(err.Error(), "/api/tables/general answers 404") || !strings.Contains(err.Error(), "no rules decide") {
		t.Errorf("a room: %v", err)
	}
}
