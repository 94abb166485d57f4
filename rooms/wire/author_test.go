package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// authorCases are payloads of a message, and what is left of them when a
// service, a user or a guest is its author.
var authorCases = []struct{ name, payload, service, user, guest string }{
	{"plain", `{"message":"hi"}`, `{"message":"hi","service":true}`, `{"message":"hi"}`, `{"message":"hi","guest":true}`},
	{"empty", `{ }`, `{"service":true}`, `{ }`, `{ "guest":true}`},
	{"a uid", `{"uid":"alice","message":"hi"}`, `{"message":"hi","service":true}`, `{"uid":"alice","message":"hi"}`, `{"uid":"alice","message":"hi","guest":true}`},
	{"marks", `{"guest":false,"service":false,"a":1}`, `{"a":1,"service":true}`, `{"a":1}`, `{"a":1,"guest":true}`},
	{"a session", `{"a":1,"client_id":"c"}`, `{"a":1,"service":true}`, `{"a":1,"client_id":"c"}`, `{"a":1,"client_id":"c","guest":true}`},
	{"nothing else", `{"guest":1}`, `{"service":true}`, `{}`, `{"guest":true}`},
	{"repeated", `{"service":1,"a":1,"service":2,"service":{}}`, `{"a":1,"service":true}`, `{"a":1}`, `{"a":1,"guest":true}`},
	{"cased", `{"Service":1,"GUEST":2,"UID":3,"a":1,"Client_ID":4}`, `{"a":1,"service":true}`, `{"UID":3,"a":1,"Client_ID":4}`, `{"UID":3,"a":1,"Client_ID":4,"guest":true}`},
	{"cased beyond ASCII", `{"ſervice":1,"gueſt":2,"a":1}`, `{"a":1,"service":true}`, `{"a":1}`, `{"a":1,"guest":true}`},
	{"escaped", `{"gu\u0065st":1,"\u0073ervice":2,"\u0055id":3,"\u017fervice":4,"a":1}`, `{"a":1,"service":true}`, `{"\u0055id":3,"a":1}`, `{"\u0055id":3,"a":1,"guest":true}`},
	{"spaced", "{ \"guest\" : { \"x\" : [ 1 ] } , \"a\" :\t1 }", "{\"a\" :\t1,\"service\":true}", "{\"a\" :\t1}", "{\"a\" :\t1,\"guest\":true}"},
	{"last", `{"a":1,"guest":"}"}`, `{"a":1,"service":true}`, `{"a":1}`, `{"a":1,"guest":true}`},
	{"inner ones stay", `{"a":{"service":1,"uid":2},"b":[{"guest":1}]}`, `{"a":{"service":1,"uid":2},"b":[{"guest":1}],"service":true}`, `{"a":{"service":1,"uid":2},"b":[{"guest":1}]}`, `{"a":{"service":1,"uid":2},"b":[{"guest":1}],"guest":true}`},
	{"like them", `{"uids":1,"to_uid":2,"guests":3,"servic":4,"client":5,"":6,"guest ":7}`, `{"uids":1,"to_uid":2,"guests":3,"servic":4,"client":5,"":6,"guest ":7,"service":true}`,
		`{"uids":1,"to_uid":2,"guests":3,"servic":4,"client":5,"":6,"guest ":7}`, `{"uids":1,"to_uid":2,"guests":3,"servic":4,"client":5,"":6,"guest ":7,"guest":true}`},
}

// What an event is shown as from is what the server knows, whatever it says
// itself; the rest of it stays.
func TestAuthors(t *testing.T) {
	for _, tc := range authorCases {
		for author, want := range map[Author]string{FromUnknown: tc.payload, FromService: tc.service, FromUser: tc.user, FromGuest: tc.guest} {
			t.Run(tc.name+"/"+author.String(), func(t *testing.T) {
				ev, err := ReadSignal([]byte(`{"type":"signal","payload":`+tc.payload+`}`), author)
				if err != nil || compact(t, ev.Payload) != compact(t, []byte(want)) {
					t.Errorf("a signal's is %s, %v; want %s", ev.Payload, err, want)
				}
				st, err := ReadStored([]byte(`{"type":"new_message","payload":` + tc.payload + `}`))
				if err != nil {
					t.Fatal(err)
				}
				st.SetAuthor(author)
				const completed = `"room_id":"","sent":"` + shapeTime + `","time":1795176000123`
				shown := strings.Replace(string(st.Event("", 1, shapeTime).Payload), completed, "", 1)
				shown = strings.NewReplacer(",}", "}", ",,", ",", "{,", "{", "{ ,", "{ ").Replace(shown)
				if compact(t, []byte(shown)) != compact(t, []byte(want)) {
					t.Errorf("a message's is %s, want %s", shown, want)
				}
			})
		}
	}
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b.String()
}

// Only what says who it is from carries a mark.
func TestAuthorsOfOthers(t *testing.T) {
	const payload = `{"uid":"u","guest":true,"service":false}`
	st, err := ReadStored([]byte(`{"type":"bet_placed","payload":` + payload + `}`))
	if err != nil {
		t.Fatal(err)
	}
	st.SetAuthor(FromService)
	if got := string(st.Event("a", 1, shapeTime).Payload); got != payload {
		t.Errorf("a stored event of a type of its own became %s", got)
	}
	ev, err := ReadSignal([]byte(`{"type":"countdown","payload":`+payload+`}`), FromService)
	if err != nil || string(ev.Payload) != payload {
		t.Errorf("one that is not logged became %s, %v", ev.Payload, err)
	}
}

func TestReadSignal(t *testing.T) {
	for _, tc := range []struct{ name, body, payload string }{
		{"text", `{"type":"signal","payload":"typing"}`, `{"data":"typing","service":true}`},
		{"list", `{"type":"signal","payload": [ 1 ] }`, `{"data":[ 1 ],"service":true}`},
		{"nothing", `{"type":"signal"}`, `{"service":true}`},
		{"null", `{"type":"signal","payload":null}`, `{"service":true}`},
		{"a message that is not logged", `{"type":"new_message","payload":{"uid":"alice","message":"x"}}`, `{"message":"x","service":true}`},
		{"made by the server", `{"type":"room_left","payload":{}}`, "bad_type"},
		{"no event", `[]`, "bad_json"},
		{"no type", `{}`, "bad_type"},
		{"too deep in data", `{"type":"signal","payload":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`, "bad_payload"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev, err := ReadSignal([]byte(tc.body), FromService)
			got := string(ev.Payload)
			if err != nil {
				got = string(codeOf(err))
			}
			if got != tc.payload {
				t.Errorf("%s, want %s", got, tc.payload)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	who := Stamp{User: User{UID: "u-1", Username: "Alice", AvatarID: "7"}, From: "al", ClientID: "c-1"}
	all := who
	all.All = true
	for _, tc := range []struct{ name, payload, want, wantAll string }{
		{"nothing", ``, `{"uid":"u-1","from":"al"}`, `{"uid":"u-1","from":"al","username":"Alice","avatar_id":"7"}`},
		{"null", `null`, `{"uid":"u-1","from":"al"}`, `{"uid":"u-1","from":"al","username":"Alice","avatar_id":"7"}`},
		{"text", `"<typing>"`, `{"data":"<typing>","uid":"u-1","from":"al"}`, `{"data":"<typing>","uid":"u-1","from":"al","username":"Alice","avatar_id":"7"}`},
		{"claims", `{"x":"<&>","uid":"bob","FROM":"b","Username":"Bob","avatar_id":9,"client_id":"c-9","guest":false,"service":true,"\u0073ervice":1}`,
			`{"x":"<&>","uid":"u-1","from":"al","username":"Alice","avatar_id":"7","client_id":"c-1"}`,
			`{"x":"<&>","uid":"u-1","from":"al","username":"Alice","avatar_id":"7","client_id":"c-1"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := who.Payload([]byte(tc.payload))
			if err != nil || string(got) != tc.want {
				t.Errorf("%s, %v; want %s", got, err, tc.want)
			}
			if got, err = all.Payload([]byte(tc.payload)); err != nil || string(got) != tc.wantAll {
				t.Errorf("with all %s, %v; want %s", got, err, tc.wantAll)
			}
		})
	}
}

func TestMemberText(t *testing.T) {
	for payload, want := range map[string]string{
		`{"from":"a"}`: "a", `{"from":"a","x":[{"from":"b"}],"from":"\u0063"}`: "c", `{"from":1}`: "", `{"From":"a"}`: "",
		`{}`: "", `[]`: "", `"from"`: "", ``: "", `{"from":"\ud800"}`: "",
	} {
		if got := MemberText([]byte(payload), "from"); got != want {
			t.Errorf("%s: %q, want %q", payload, got, want)
		}
	}
}

// FuzzAuthor: whatever a body claims, clients see what is known, once, and
// nothing else is changed or lost; it grows by less than a constant.
func FuzzAuthor(f *testing.F) {
	for _, tc := range authorCases {
		for author := range FromGuest + 1 {
			f.Add([]byte(`{"type":"new_message","payload":`+tc.payload+`}`), uint8(author))
			f.Add([]byte(`{"type":"signal","payload":`+tc.payload+`}`), uint8(author))
		}
	}
	f.Add([]byte(`{"type":"signal","payload":"typing"}`), uint8(FromGuest))
	f.Fuzz(func(t *testing.T, body []byte, by uint8) {
		author := Author(by % uint8(FromGuest+1))
		env, _, err := readEnvelope(body)
		if err != nil {
			return
		}
		var shown Event
		if st, err := env.stored(); err == nil {
			st.SetAuthor(author)
			shown = st.Event("r", 1, shapeTime)
			if frame := st.AppendFrame(nil, "r", 1, shapeTime); !bytes.Equal(frame, EventFrame(shown)) || len(frame) > st.FrameSize("r", shapeTime) {
				t.Fatalf("%q: not the frame of its event, or longer than foretold", body)
			}
		} else if shown, err = ReadSignal(body, author); err != nil {
			return
		}
		sent := env.fields[fieldPayload]
		if grown := len(shown.Payload) - len(sent); grown > 150 {
			t.Fatalf("%q grew by %d", body, grown)
		}
		if marked(shown.Type) {
			checkAuthor(t, sent, shown.Payload, author)
		}
	})
}

// checkAuthor compares with maps.
func checkAuthor(t *testing.T, sent, shown []byte, author Author) {
	t.Helper()
	var was, is any
	if isNull(sent) {
		sent = []byte(`null`)
	}
	if len(shown) == 0 {
		shown = []byte(`null`)
	}
	if err := decodeExact(sent, &was); err != nil {
		t.Fatal(err)
	}
	if err := decodeExact(shown, &is); err != nil {
		t.Fatalf("%q: %v", shown, err)
	}
	want := asObject(was)
	if author == FromUnknown || author == FromUser && !strings.HasPrefix(string(sent), "{") {
		if _, ok := is.(map[string]any); !ok {
			return // as it is
		}
	}
	for name := range want {
		for _, claim := range claimsOf(author) {
			if strings.EqualFold(name, claim) {
				delete(want, name)
			}
		}
	}
	switch author {
	case FromService:
		want["service"] = true
	case FromGuest:
		want["guest"] = true
	}
	got := asObject(is)
	for _, name := range []string{"room_id", "sent", "time"} {
		if _, ok := want[name]; !ok {
			delete(got, name)
		}
	}
	if a, b := canonical(t, got), canonical(t, want); a != b {
		t.Fatalf("from %v %q became %q", author, sent, shown)
	}
	if mark := author.mark(); mark != "" {
		if n := bytes.Count(shown, []byte(mark)); n < 1 || !bytes.HasSuffix(shown, []byte(mark+"}")) {
			t.Fatalf("from %v %q became %q", author, sent, shown)
		}
	}
}

func claimsOf(a Author) []string {
	switch a {
	case FromService:
		return []string{"guest", "service", "uid", "client_id"}
	case FromUser, FromGuest:
		return []string{"guest", "service"}
	}
	return nil
}

func asObject(v any) map[string]any {
	switch v := v.(type) {
	case nil:
		return map[string]any{}
	case map[string]any:
		return v
	default:
		return map[string]any{"data": v}
	}
}

// FuzzStamp: a client's payload says of its sender what the server knows and
// nothing else, and the rest is as it was sent.
func FuzzStamp(f *testing.F) {
	for _, tc := range authorCases {
		f.Add([]byte(tc.payload), "percy", true)
	}
	f.Add([]byte(`"typing"`), "\u2028<", false)
	f.Fuzz(func(t *testing.T, payload []byte, from string, all bool) {
		from = string([]rune(from))
		sent, ok := onePayload(payload)
		if !ok {
			return
		}
		who := Stamp{User: User{UID: "u-1", Username: "Alice", AvatarID: "7"}, From: from, ClientID: "c-1", All: all}
		got, err := who.Payload(sent)
		if err != nil {
			if code := codeOf(err); code != BadPayload {
				t.Fatal(code)
			}
			return
		}
		if _, ok := onePayload(got); !ok {
			t.Fatalf("%q became %q", sent, got)
		}
		if grown := len(got) - len(sent); grown > 150+6*len(from) {
			t.Fatalf("%q grew by %d", sent, grown)
		}
		var was, is any
		if isNull(sent) {
			sent = []byte(`null`)
		}
		if decodeExact(sent, &was) != nil || decodeExact(got, &is) != nil {
			t.Fatalf("%q or %q cannot be read", sent, got)
		}
		want := asObject(was)
		set := map[string]any{"uid": "u-1", "from": from}
		if all {
			set["username"], set["avatar_id"] = "Alice", "7"
		}
		for name := range want {
			for i, ours := range stampNames {
				if strings.EqualFold(name, ours) {
					delete(want, name)
					if value := map[int]any{2: "Alice", 3: "7", 4: "c-1"}[i]; value != nil {
						set[ours] = value
					}
				}
			}
		}
		for name, value := range set {
			want[name] = value
		}
		if a, b := canonical(t, is), canonical(t, want); a != b {
			t.Fatalf("%q became %q, want %s", sent, got, b)
		}
	})
}

func BenchmarkAuthor(b *testing.B) {
	for _, author := range []Author{FromUser, FromGuest, FromService} {
		b.Run(fmt.Sprint(author), func(b *testing.B) {
			body, dst := shapes(400)["plain"], make([]byte, 0, 1000)
			b.ReportAllocs()
			for b.Loop() {
				st, err := ReadStored(body)
				if err != nil {
					b.Fatal(err)
				}
				st.SetAuthor(author)
				st.AppendFrame(dst, "general", 123456, shapeTime)
			}
		})
	}
}
