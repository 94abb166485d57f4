package node

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const hello = `{"type":"new_message","payload":{"message":"hello","from":"dealer"}}`

func TestPublishReachesMembersAndLog(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "percy", "")
	var at stored
	s.want(t, 200, "POST", "/api/rooms/general/events", hello).json(t, &at)
	ev := m.next(t, wire.TypeNewMessage)
	if at.Seq == 0 || at.Duplicate || ev.Seq != at.Seq || ev.Room != "general" || !strings.Contains(string(ev.Payload), `"message":"hello"`) {
		t.Errorf("answered %+v, the member got %+v %s", at, ev, ev.Payload)
	}
	var page wire.History
	s.want(t, 200, "GET", "/api/rooms/general/events", "").json(t, &page)
	if len(page.Events) != 1 || page.More || !strings.Contains(string(page.Events[0]), fmt.Sprintf(`"seq":%d`, at.Seq)) {
		t.Errorf("the log holds %s", page.Events)
	}
}

// Each name reaches exactly its own room, through a URL, the log and back.
func TestRoomNamesInURLs(t *testing.T) {
	s := serve(t, testConfig())
	names := []string{"a b", "a.b", "a/b", "a*b", "a>b", "a%b", "a%2Fb", "a=2Eb", "..", "百家樂", "🎲", "a?b#c", "a+b", "a//b"}
	for i, name := range names {
		body := fmt.Sprintf(`{"type":"probe","payload":%d}`, i)
		s.want(t, 200, "POST", "/api/rooms/"+escape(name)+"/events", body)
	}
	for i, name := range names {
		var page wire.History
		s.want(t, 200, "GET", "/api/rooms/"+escape(name)+"/events", "").json(t, &page)
		if len(page.Events) != 1 || !strings.Contains(string(page.Events[0]), fmt.Sprintf(`"payload":%d}`, i)) {
			t.Errorf("room %q holds %s, want the one event %d", name, page.Events, i)
		}
	}
}

// escape writes a room's name as a path segment; ".." would be taken for the parent by the URL's reader.
func escape(name string) string { return strings.ReplaceAll(url.PathEscape(name), "..", "%2E%2E") }

func TestComposedNamesAreOneRoom(t *testing.T) {
	s := serve(t, testConfig())
	s.want(t, 200, "POST", "/api/rooms/"+url.PathEscape("cafe\u0301")+"/events", hello)
	var page wire.History
	s.want(t, 200, "GET", "/api/rooms/"+url.PathEscape("caf\u00e9")+"/events", "").json(t, &page)
	if len(page.Events) != 1 {
		t.Errorf("the room holds %d events, want 1", len(page.Events))
	}
}

// stored is the answer to a publish.
type stored struct {
	Seq       uint64
	Duplicate bool
}

func TestIdempotencyKey(t *testing.T) {
	s := serve(t, testConfig())
	post := func(room, body string, headers ...string) (at stored) {
		s.want(t, 200, "POST", "/api/rooms/"+room+"/events", body, headers...).json(t, &at)
		return at
	}
	first := post("a", hello, "Idempotency-Key", "round 42")
	again := post("a", hello, "Idempotency-Key", "round 42")
	if !again.Duplicate || again.Seq != first.Seq || first.Duplicate {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if other := post("b", hello, "Idempotency-Key", "round 42"); other.Duplicate {
		t.Error("the key of one room counts in another")
	}
	if other := post("a", hello); other.Duplicate {
		t.Error("an event without a key is a duplicate")
	}
	withID := strings.Replace(hello, "{", `{"id":"x",`, 1)
	post("a", withID)
	if again := post("a", withID); !again.Duplicate {
		t.Error("the event's id does not count as its key")
	}
	if other := post("a", withID, "Idempotency-Key", "y"); other.Duplicate {
		t.Error("the header does not win over the id")
	}

	// A client that chooses the key of a service as its id must not hide the service's event.
	m := s.dial(t, "percy", "")
	id := "service/general/k"
	if _, err := m.Send(t.Context(), wire.Event{Type: wire.TypeSendMessage, ID: id, Room: "general", Payload: json.RawMessage(`{"message":"mine"}`)}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{id, "k"} {
		if at := post("general", hello, "Idempotency-Key", key); at.Duplicate {
			t.Errorf("a client's id %q made the service's key %q a duplicate", id, key)
		}
	}
}

func TestAPIRefusals(t *testing.T) {
	s := serve(t, testConfig())
	big := `{"type":"x","payload":"` + strings.Repeat("a", rooms.MaxEventBytes) + `"}`
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{"no JSON", "POST", "/api/rooms/a/events", "hello", nil, 400, "bad_json"},
		{"no object", "POST", "/api/rooms/a/events", "[1]", nil, 400, "bad_json"},
		{"no type", "POST", "/api/rooms/a/events", "{}", nil, 400, "bad_type"},
		{"reserved type", "POST", "/api/rooms/a/events", `{"type":"welcome"}`, nil, 400, "bad_type"},
		{"message without an object", "POST", "/api/rooms/a/events", `{"type":"new_message","payload":"x"}`, nil, 400, "bad_payload"},
		{"message without a text", "POST", "/api/rooms/a/events", `{"type":"new_message","payload":{"message":5}}`, nil, 400, "bad_payload"},
		{"empty body", "POST", "/api/rooms/a/events", "", []string{"Content-Type", "application/json"}, 400, "bad_json"},
		{"too big", "POST", "/api/rooms/a/events", big, nil, 413, "too_big"},
		{"a form", "POST", "/api/rooms/a/events", hello, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"curl's own type", "POST", "/api/rooms/a/events", hello, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"another room in the event", "POST", "/api/rooms/a/events", `{"type":"x","room":"b"}`, nil, 400, "bad_room"},
		{"long key", "POST", "/api/rooms/a/events", hello, []string{"Idempotency-Key", strings.Repeat("k", 129)}, 400, "bad_payload"},
		{"unprintable key", "POST", "/api/rooms/a/events", hello, []string{"Idempotency-Key", "é"}, 400, "bad_payload"},
		{"long room", "POST", "/api/rooms/" + strings.Repeat("r", 65) + "/events", hello, nil, 400, "bad_room"},
		{"room with a control character", "GET", "/api/rooms/a%00b/events", "", nil, 400, "bad_room"},
		{"room that is no UTF-8", "GET", "/api/rooms/%FF/events", "", nil, 400, "bad_room"},
		{"bad before", "GET", "/api/rooms/a/events?before=-1", "", nil, 400, "bad_payload"},
		{"bad limit", "GET", "/api/rooms/a/events?limit=0", "", nil, 400, "bad_payload"},
		{"a limit too high", "GET", "/api/rooms/a/events?limit=101", "", nil, 400, "bad_payload"},
		{"an inbox as a uid", "POST", "/api/users/@alice/events", `{"type":"x"}`, nil, 400, "bad_payload"},
		{"bad limit of members", "GET", "/api/rooms/a/members?limit=x", "", nil, 400, "bad_payload"},
		{"bad uid", "POST", "/api/users/a%00b/events", hello, nil, 400, "bad_payload"},
		{"bad uid to close", "DELETE", "/api/users/a%00b/sessions", "", nil, 400, "bad_payload"},
		{"room that is not there", "GET", "/api/rooms/nowhere", "", nil, 404, "not_found"},
		{"unknown path", "GET", "/api/nothing", "", nil, 404, "not_found"},
		{"unknown path, any method", "PATCH", "/api/nothing", "", nil, 404, "not_found"},
		{"method", "PUT", "/api/rooms/a/events", hello, nil, 405, "method_not_allowed"},
		{"method of rooms", "POST", "/api/rooms", hello, nil, 405, "method_not_allowed"},
		{"method of sessions", "GET", "/api/users/a/sessions", "", nil, 405, "method_not_allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(t, tt.method, tt.path, tt.body, tt.headers...)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("answered %d %s, want %d %s: %s", a.status, a.code(), tt.status, tt.code, a.body)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				t.Errorf("headers %v", a.header)
			}
			if tt.status == 405 && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	if got := s.want(t, 200, "GET", "/api/rooms", "").body; strings.Contains(got, `"a"`) && s.engine.Stats().Published.Load() > 0 {
		t.Errorf("something was published: %s", got)
	}
}

// TestRoomsInPages: all that there are for whoever asks for no page, and with the bounds of get_rooms for who does.
func TestRoomsInPages(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "ann", "")
	for i := range 5 {
		if _, err := m.Join(t.Context(), fmt.Sprint("table-", i), client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"":                               "general table-0 table-1 table-2 table-3 table-4 > ",
		"?limit=2":                       "general table-0 > table-0",
		"?limit=2&after=table-0":         "table-1 table-2 > table-2",
		"?prefix=table-&after=table-2":   "table-3 table-4 > ",
		"?prefix=table-&limit=1":         "table-0 > table-0",
		"?prefix=nothing":                " > ",
		"?limit=100&after=table-3":       "table-4 > ",
		"?limit=&prefix=gen&after=a%2Fb": "general > ",
	} {
		var list rooms.RoomList
		s.want(t, 200, "GET", "/api/rooms"+query, "").json(t, &list)
		var names []string
		for _, r := range list.Rooms {
			names = append(names, string(r.Name))
		}
		if got := strings.Join(names, " ") + " > " + list.Next; got != want {
			t.Errorf("%q is answered %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"?limit=101", "?prefix=table-;after=z", "?limit=0", "?limit=-1", "?limit=x", "?prefix=" + strings.Repeat("x", wire.MaxRoomFilter+1), "?after=" + strings.Repeat("x", wire.MaxRoomFilter+1)} {
		if a := s.want(t, 400, "GET", "/api/rooms"+query, ""); a.code() != "bad_payload" {
			t.Errorf("%.30q is answered %s", query, a.body)
		}
	}
}

func TestRoomsMembersAndPages(t *testing.T) {
	s := serve(t, testConfig())
	if got := s.want(t, 200, "GET", "/api/rooms", "").body; got != "{\"rooms\":[],\"next\":\"\"}\n" {
		t.Errorf("at first the rooms are %s", got)
	}
	uids := map[string]bool{}
	for i := range 3 {
		m := s.dial(t, fmt.Sprint("user", i), "")
		uids[m.Welcome().UID] = true
	}
	var list struct{ Rooms []rooms.RoomInfo }
	s.want(t, 200, "GET", "/api/rooms", "").json(t, &list)
	if len(list.Rooms) != 1 || list.Rooms[0].Name != "general" || list.Rooms[0].Users != 3 {
		t.Errorf("the rooms are %+v", list.Rooms)
	}
	var info rooms.RoomInfo
	s.want(t, 200, "GET", "/api/rooms/general", "").json(t, &info)
	if info.Name != "general" || info.Users != 3 || info.Epoch == "" {
		t.Errorf("the room is %+v", info)
	}

	after, seen := "", 0
	for page := 0; ; page++ {
		var people wire.OnlineUsers
		s.want(t, 200, "GET", "/api/rooms/general/members?limit=2&after="+url.QueryEscape(after), "").json(t, &people)
		if people.Count != 3 || len(people.List) > 2 || page > 1 {
			t.Fatalf("page %d is %+v", page, people)
		}
		for _, u := range people.List {
			if !uids[u.UID] {
				t.Errorf("%+v is not one of those who came, or came twice", u)
			}
			delete(uids, u.UID)
			seen++
		}
		if after = people.Next; after == "" {
			break
		}
	}
	if seen != 3 {
		t.Errorf("%d people on all pages, want 3", seen)
	}

	for i := range 5 {
		s.want(t, 200, "POST", "/api/rooms/quiet/events", fmt.Sprintf(`{"type":"n","payload":%d}`, i))
	}
	s.want(t, 200, "GET", "/api/rooms/quiet", "") // nobody is there, but it has a log
	var before uint64
	var got []string
	for range 3 {
		var page struct {
			Events []struct {
				Seq     uint64
				Payload json.RawMessage
			}
			More bool
		}
		s.want(t, 200, "GET", fmt.Sprintf("/api/rooms/quiet/events?limit=2&before=%d", before), "").json(t, &page)
		for i := len(page.Events) - 1; i >= 0; i-- {
			got = append(got, string(page.Events[i].Payload))
		}
		if page.More != (len(got) < 5) {
			t.Errorf("more is %v after %d of 5", page.More, len(got))
		}
		before = page.Events[0].Seq
	}
	if strings.Join(got, "") != "43210" {
		t.Errorf("backwards the log is %v", got)
	}
}

func TestUsers(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "percy", "")
	uid := m.Welcome().UID

	s.want(t, 200, "POST", "/api/users/"+uid+"/events", `{"type":"balance","payload":{"chips":7}}`)
	if ev := m.next(t, "balance"); ev.Room != wire.InboxAlias || ev.Seq == 0 {
		t.Errorf("the user got %+v", ev)
	}

	var removed struct{ Removed int }
	s.want(t, 200, "DELETE", "/api/rooms/general/members/"+uid, "").json(t, &removed)
	if removed.Removed != 1 {
		t.Errorf("removed %d members, want 1", removed.Removed)
	}
	if ev := m.next(t, wire.TypeRoomLeft); !strings.Contains(string(ev.Payload), `"reason":"removed"`) {
		t.Errorf("the member was told %s", ev.Payload)
	}
	s.want(t, 200, "DELETE", "/api/rooms/general/members/"+uid, "").json(t, &removed)
	if removed.Removed != 0 {
		t.Errorf("removed %d members the second time", removed.Removed)
	}

	var closed struct{ Closed int }
	s.want(t, 200, "DELETE", "/api/users/"+uid+"/sessions", "").json(t, &closed)
	if closed.Closed != 1 {
		t.Errorf("closed %d sessions, want 1", closed.Closed)
	}
	<-m.Done()
	mustFail(t, m.Err(), "4503")
	s.want(t, 200, "DELETE", "/api/users/nobody/sessions", "").json(t, &closed)
	if closed.Closed != 0 {
		t.Errorf("closed %d sessions of nobody", closed.Closed)
	}
}

// A service that sends again by another way, under the same key, stores once.
func TestKeyIsTheSameByEveryWay(t *testing.T) {
	s := serve(t, testConfig())
	var first, again stored
	s.want(t, 200, "POST", "/api/rooms/a.b/events", hello, "Idempotency-Key", "round 42").json(t, &first)
	nc := natsTo(t, s)
	for subject, msg := range map[string]*nats.Msg{
		"rooms.publish":    {Data: []byte(`{"room":"a.b","id":"round 42","event":` + hello + `}`)},
		"room.a=2Eb.event": {Data: []byte(hello), Header: nats.Header{nats.MsgIdHdr: {rooms.ServiceMessageID("a.b", "round 42")}}},
	} {
		msg.Subject = subject
		answer, err := nc.RequestMsg(msg, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(answer.Data, &again); err != nil || !again.Duplicate || again.Seq != first.Seq {
			t.Errorf("%s answers %s, first it was %+v", subject, answer.Data, first)
		}
	}
}
