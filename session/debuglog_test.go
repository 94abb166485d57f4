package session

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// atDebug has the log say everything.
func atDebug(set *setup) { set.cfg.Log = set.cfg.Log.Level(zerolog.DebugLevel) }

// line waits for a line of the log with a message, and whose fields fit, and
// returns it.
func (s *stack) line(message string, fits map[string]any) (found map[string]any) {
	s.t.Helper()
	eventually(s.t, text("the log says %q with %v", message, fits), func() bool {
		for text := range strings.Lines(s.log.String()) {
			var line map[string]any
			must(s.t, json.Unmarshal([]byte(text), &line))
			if line["message"] == message && includes(line, fits) {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

func includes(line, fits map[string]any) bool {
	for key, want := range fits {
		if got, ok := line[key]; !ok || got != want {
			return false
		}
	}
	return true
}

// Whoever is not let in leaves a line that says who, from where, and why, and
// nothing that could be used to log in.
func TestRefusalsAreLogged(t *testing.T) {
	s := newStack(t, atDebug, func(set *setup) { set.cfg.MaxConnectionsPerAddress = 2 })
	some := s.token("ann", func(c *auth.Claims) { c.Rooms = []string{"table-*"} })

	s.refused("token="+some+"x", nil) // its signature is bad
	line := s.line("a connection was refused", map[string]any{"error": "unauthorized", "address": "127.0.0.1", "status": 401.0})
	if _, known := line["uid"]; known {
		t.Errorf("a login that failed is somebody's: %v", line)
	}
	same(t, "who the bad token says it is", line["claimed_uid"], any("ann"))
	s.refused("token="+s.token("eve", func(c *auth.Claims) { c.Expires = time.Now().Add(-time.Hour) }), nil)
	s.line("a connection was refused", map[string]any{"claimed_uid": "eve", "why": "the token has expired; log in again"})
	s.refused("token=x.y.z", nil)
	if line := s.line("a connection was refused", map[string]any{"why": "the token is not a well-formed JWT with the claims of this server"}); line["claimed_uid"] != nil {
		t.Errorf("nobody's token says that it is somebody's: %v", line)
	}
	s.refused("room=vip&token="+some, nil)
	s.line("a connection was refused", map[string]any{"error": "forbidden", "address": "127.0.0.1", "status": 403.0, "uid": "ann", "room": "vip", "guest": false})
	s.refused("token="+some, http.Header{"Origin": {"https://elsewhere.example"}})
	s.line("a connection was refused", map[string]any{"error": "forbidden", "origin": "https://elsewhere.example", "uid": "ann"})
	resp, err := http.Get(s.http.URL + "/?room=table-1&token=" + some)
	must(t, err)
	must(t, resp.Body.Close())
	s.line("a connection was refused", map[string]any{"error": "bad_payload", "uid": "ann", "room": "table-1"})

	p := s.dialRaw("room=table-1&token=" + some + "&resume=vip:e1:1")
	s.line("a room was refused", map[string]any{"error": "forbidden", "uid": "ann", "room": "vip", "client": p.welcome.ClientID})
	p.failed(wire.Forbidden, wire.TypeJoinRoom, "", `{"name":"vip"}`)
	s.line("an event was refused", map[string]any{"error": "forbidden", "type": "join_room", "client": p.welcome.ClientID, "address": "127.0.0.1"})

	s.dial("username=bob")
	s.refused("username=eve", nil)
	s.line("a connection was refused", map[string]any{"error": "rate_limited", "status": 429.0})
	r, err := http.NewRequest("POST", "http://localhost/login", nil)
	must(t, err)
	r.RemoteAddr = "127.0.0.1:5000"
	s.m.LogLoginRefusal(r, wire.Errorf(wire.Unauthorized, "no"))
	s.line("a login was refused", map[string]any{"error": "unauthorized", "address": "127.0.0.1", "why": "no"})
	s.m.LogLoginRefusal(r, &auth.Error{Message: "over", Claimed: "zoe", Err: auth.ErrBadCredential})
	s.line("a login was refused", map[string]any{"error": "unauthorized", "claimed_uid": "zoe", "why": "over"})
	if log := s.log.String(); strings.Contains(log, some) {
		t.Errorf("a token is in the log: %s", log)
	}
}

// One line at the end tells a connection's whole story, whoever ended it.
func TestEndIsLogged(t *testing.T) {
	s := newStack(t, atDebug)
	p := s.user("ann")
	p.acked(wire.TypeJoinRoom, "", `{"name":"table-1"}`)
	p.say("table-1", "hello")
	p.heard("table-1", "hello")
	p.failed(wire.UnknownType, "nonsense", "", "")
	must(t, p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, ""), farAway()))
	p.wantEnd(wire.CloseGoing)
	line := s.line("a connection has ended", map[string]any{
		"uid": "ann", "name": "ANN", "guest": false, "address": "127.0.0.1", "client": p.welcome.ClientID,
		"code": 1001.0, "why": "going away", "closed_by": "the client", "events_in": 3.0, "refused": 1.0,
	})
	rooms, ok := line["rooms"].([]any)
	if !ok || len(rooms) != 2 || !slices.Contains(rooms, any("general")) || !slices.Contains(rooms, any("table-1")) {
		t.Errorf("the rooms are %v", line["rooms"])
	}
	for _, key := range []string{"bytes_in", "events_out", "bytes_out"} {
		if n, ok := line[key].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v; the line has %v", key, line[key], slices.Sorted(maps.Keys(line)))
		}
	}
	if _, ok := line["lasted_ms"].(float64); !ok {
		t.Errorf("lasted_ms is %v", line["lasted_ms"])
	}
	q := s.user("bob")
	s.client(q).Close(wire.CloseRemoved)
	s.line("a connection has ended", map[string]any{"uid": "bob", "code": 4503.0, "closed_by": "the server", "events_in": 0.0})
	q = s.user("eve")
	must(t, q.ws.Close())
	s.line("a connection has ended", map[string]any{"uid": "eve", "code": 1006.0, "closed_by": "nobody"})
}

// What came too fast leaves no line each, and above debug nothing leaves any.
func TestQuietLog(t *testing.T) {
	s := newStack(t, atDebug, func(set *setup) { set.cfg.Rate, set.cfg.Burst = 0.001, 2 })
	p := s.user("ann")
	for range 20 {
		p.send(wire.TypeSignal, "", "", `{"x":1}`)
	}
	p.awaitType(wire.TypeError)
	s.client(p).Close(wire.CloseNormal)
	line := s.line("a connection has ended", map[string]any{"uid": "ann"})
	if n, ok := line["refused"].(float64); !ok || n < 1 {
		t.Errorf("refused is %v", line["refused"])
	}
	if log := s.log.String(); strings.Contains(log, "rate_limited") {
		t.Errorf("floods are in the log: %s", log)
	}
	quiet := newStack(t)
	quiet.refused("token=x", nil)
	q := quiet.user("ann")
	c := quiet.client(q)
	c.Close(wire.CloseNormal)
	<-c.Done()
	same(t, "the log", quiet.log.String(), "")
}
