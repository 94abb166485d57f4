package node

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
)

func TestMetrics(t *testing.T) {
	s := serve(t, testConfig())
	for i := range 2 {
		c := s.dial(t, fmt.Sprint("user", i), "")
		if i == 0 {
			if _, err := c.Send(t.Context(), wire.Event{Type: "nonsense"}); err == nil {
				t.Error("nonsense was taken")
			}
		}
	}
	for _, path := range []string{"/nothing/here", "/nor/there"} {
		s.want(t, 404, "GET", path, "")
	}
	s.want(t, 200, "POST", "/api/rooms/general/events", hello)
	s.want(t, 401, "GET", "/ws?otp=wrong", "")
	text := s.metricsWith(t, map[string]float64{
		"roomd_connections": 2, "roomd_rooms": 1, "roomd_members": 2, "roomd_session_connected_total": 2,
		"roomd_room_published_total": 1, "roomd_session_refused_login_total": 1, `roomd_session_closed_total{code="4000",reason="draining"}`: 0,
		"roomd_publish_ack_seconds_count": 1, "roomd_publish_delivery_seconds_count": 1, `roomd_publish_ack_seconds_bucket{le="+Inf"}`: 1,
		`roomd_log_messages{log="ROOMS"}`: 1, `roomd_log_first_seq{log="ROOMS"}`: 1, `roomd_log_last_seq{log="ROOMS"}`: 1,
		`roomd_log_messages{log="INBOX"}`: 0, `roomd_log_replica_lag{log="ROOMS"}`: 0, `roomd_log_rooms_behind{log="ROOMS"}`: 0,
		`roomd_session_errors_total{code="unknown_type"}`: 1, `roomd_session_errors_total{code="busy"}`: 0,
		`roomd_http_requests_total{route="/ws",status="101"}`: 2, `roomd_http_requests_total{route="/ws",status="401"}`: 1,
		`roomd_http_requests_total{route="/api/rooms/{room}/events",status="200"}`: 1, `roomd_http_requests_total{route="/",status="404"}`: 2,
	})
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	if !regexp.MustCompile(`(?m)^roomd_build_info\{goversion="go[^"]+",revision="[^"]*",version="[^"]*"\} 1$`).MatchString(text) {
		t.Error("roomd_build_info is missing")
	}
	if strings.Contains(text, "room_room") {
		t.Error("a name says room_room")
	}
}

// metricsWith waits until the metrics have these values, and returns all of them.
func (s *server) metricsWith(t *testing.T, wanted map[string]float64) (text string) {
	t.Helper()
	for end := time.Now().Add(deadline); ; {
		text = s.want(t, 200, "GET", "/metrics", "").body
		wrong := ""
		for name, want := range wanted {
			m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(text)
			if m == nil {
				wrong = name + " is missing"
				continue
			}
			if got, err := strconv.ParseFloat(m[1], 64); err != nil || got != want {
				wrong = fmt.Sprintf("%s is %s, want %v", name, m[1], want)
			}
		}
		switch {
		case wrong == "":
			return text
		case time.Now().After(end):
			t.Fatal(wrong)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Every counter has a text that says what it counts, and every text a counter.
func TestEveryCounterIsDescribed(t *testing.T) {
	for _, tt := range []struct {
		stats any
		help  map[string]string
	}{{&rooms.Stats{}, roomHelp}, {&rooms.TableStats{}, tableHelp}, {&session.Stats{}, sessionHelp}, {&httpStats{}, httpHelp}, {&auth.Stats{}, loginHelp}, {&auth.KeyStats{}, keysHelp}, {&hooks.Stats{}, hookHelp}} {
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
