package node

import "testing"

// TestCommandsOverHTTP: what a service posts at a table is a command: stored, known
// under its key when it comes again, or refused by the rules.
func TestCommandsOverHTTP(t *testing.T) {
	s := serve(t, testConfig())
	const events = "/api/rooms/baccarat-1/events"
	const pause = `{"type":"pause","id":"p-1","payload":{"reason":"the shoe is changed"}}`
	s.want(t, 200, "POST", events, pause)
	s.want(t, 200, "POST", events, pause)
	s.want(t, 409, "POST", events, `{"type":"deal","payload":{"card":"8H"}}`)
	s.metricsWith(t, map[string]float64{"roomd_tables_owned": 1, "roomd_table_refused_total": 1, "roomd_table_again_total": 1, "roomd_table_moved_total": 0})
}
