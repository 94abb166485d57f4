package node

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func TestMetrics(t *testing.T) {
	s := serve(t, testConfig())
	for i := range 2 {
		s.dial(t, fmt.Sprint("user", i), "")
	}
	s.want(t, 200, "POST", "/api/rooms/general/events", hello)
	s.want(t, 401, "GET", "/ws?otp=wrong", "")
	text := s.want(t, 200, "GET", "/metrics", "").body
	for name, want := range map[string]float64{
		"roomd_connections": 2, "roomd_rooms": 1, "roomd_members": 2, "roomd_session_connected_total": 2,
		"roomd_room_published_total": 1, "roomd_session_refused_login_total": 1, `roomd_session_closed_total{code="4000",reason="draining"}`: 0,
	} {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if got, err := strconv.ParseFloat(m[1], 64); err != nil || got != want {
			t.Errorf("%s is %s, want %v", name, m[1], want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
}

// Every counter has a text that says what it counts, and every text a counter.
func TestEveryCounterIsDescribed(t *testing.T) {
	for _, tt := range []struct {
		stats any
		help  map[string]string
	}{{&rooms.Stats{}, roomHelp}, {&session.Stats{}, sessionHelp}, {&httpStats{}, httpHelp}, {&auth.Stats{}, loginHelp}, {&auth.KeyStats{}, keysHelp}} {
		fields := reflect.TypeOf(tt.stats).Elem()
		found := 0
		for _, field := range reflect.VisibleFields(fields) {
			if field.Type != reflect.TypeFor[atomic.Int64]() {
				continue
			}
			found++
			if tt.help[field.Name] == "" {
				t.Errorf("%s.%s has no text in metrics_help.go", fields, field.Name)
			}
		}
		if found != len(tt.help) {
			t.Errorf("%s has %d counters and %d texts", fields, found, len(tt.help))
		}
	}
}
