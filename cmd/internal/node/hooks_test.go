package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
)

const hookKey = "0123456789abcdef0123456789abcdef"

// service answers hooks over NATS with what a test sets; "" is silence.
type service struct {
	mu     sync.Mutex
	answer map[string]string // by hook
	asked  map[string]int
	last   map[string]string
}

// serviceOf is a service beside the node.
func serviceOf(t *testing.T, s *server) *service {
	t.Helper()
	v := &service{answer: make(map[string]string), asked: make(map[string]int), last: make(map[string]string)}
	nc := natsTo(t, s)
	_, err := nc.QueueSubscribe("roomd.hook.*", "service", func(msg *nats.Msg) {
		hook := strings.TrimPrefix(msg.Subject, "roomd.hook.")
		v.mu.Lock()
		v.asked[hook]++
		v.last[hook] = string(msg.Data)
		text := v.answer[hook]
		v.mu.Unlock()
		if text == "" {
			return
		}
		if err := msg.Respond([]byte(text)); err != nil {
			t.Error(err)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *service) say(hook, answer string) {
	v.mu.Lock()
	v.answer[hook] = answer
	v.mu.Unlock()
}

func (v *service) count(hook string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked[hook]
}

// newest is the last question of a hook.
func (v *service) newest(hook string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[hook]
}

// shake tries a handshake and returns what was answered; 101: it is open.
func (s *server) shake(t *testing.T, query string, header http.Header) (answer, *websocket.Conn) {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(strings.Replace(s.url, "http", "ws", 1)+"/ws?"+query, header)
	if resp == nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body) // gorilla gives what there is
	resp.Body.Close()
	if ws != nil {
		t.Cleanup(func() { ws.Close() })
	}
	return answer{resp.StatusCode, resp.Header, string(body)}, ws
}

func (s *server) wantShake(t *testing.T, status int, query string, header http.Header) (answer, *websocket.Conn) {
	t.Helper()
	a, ws := s.shake(t, query, header)
	if a.status != status || status == 503 && a.header.Get("Retry-After") == "" {
		t.Fatalf("?%s was answered %d %v %s, want %d", query, a.status, a.header, a.body, status)
	}
	return a, ws
}

// A site without a NATS client says who its visitors are, by their cookie.
func TestLoginByCookie(t *testing.T) {
	var mu sync.Mutex
	logged := map[string]string{"sid=1": `{"uid":1001,"name":"Ann","rooms":["general"]}`, "sid=2": `{"guest":true}`, "sid=3": `{"error":"log in first"}`, "sid=4": `nonsense`}
	asked := 0
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Headers map[string]string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || !strings.HasPrefix(r.Header.Get(hooks.SignatureHeader), "t=") {
			t.Errorf("asked %v, %v", r.Header, err)
		}
		mu.Lock()
		defer mu.Unlock()
		asked++
		_, _ = io.WriteString(w, logged[q.Headers["cookie"]])
	}))
	t.Cleanup(site.Close)
	cfg := testConfig()
	cfg.Hook, cfg.HookHeader, cfg.HookKey = []string{"login=" + site.URL + "/roomd"}, []string{"Cookie"}, hookKey
	s := serve(t, cfg)
	cookie := func(value string) http.Header { return http.Header{"Cookie": {"sid=" + value}} }

	_, ws := s.wantShake(t, 101, "", cookie("1"))
	var welcome struct{ Payload wire.Welcome }
	if err := ws.ReadJSON(&welcome); err != nil || welcome.Payload.UID != "1001" || welcome.Payload.Username != "Ann" {
		t.Errorf("welcome is %+v, %v", welcome, err)
	}
	s.wantShake(t, 403, "room=vip", cookie("1"))
	_, ws = s.wantShake(t, 101, "username=Gus", cookie("2"))
	if err := ws.ReadJSON(&welcome); err != nil || !wire.IsGuest(welcome.Payload.UID) || welcome.Payload.Username != "Gus" {
		t.Errorf("welcome is %+v, %v", welcome, err)
	}
	a, _ := s.wantShake(t, 401, "", cookie("3"))
	if !strings.Contains(a.body, "log in first") {
		t.Errorf("the refusal is %s", a.body)
	}
	s.wantShake(t, 503, "", cookie("4"))

	// The same by POST /login, whose ticket needs no asking.
	var ticket auth.LoginResult
	s.want(t, 200, "POST", "/login", "", "Cookie", "sid=1").json(t, &ticket)
	s.want(t, 401, "POST", "/login", "", "Cookie", "sid=3")
	if a := s.want(t, 503, "POST", "/login", "", "Cookie", "sid=4"); a.header.Get("Retry-After") == "" {
		t.Errorf("the 503 has no Retry-After: %v", a.header)
	}
	mu.Lock()
	before := asked
	mu.Unlock()
	s.wantShake(t, 101, "otp="+ticket.OTP, nil)
	// A page of another origin does not get as far as the site.
	s.wantShake(t, 403, "", http.Header{"Cookie": {"sid=1"}, "Origin": {"https://evil.example"}})
	mu.Lock()
	if asked != before {
		t.Errorf("the site was asked %d times more", asked-before)
	}
	mu.Unlock()

	// Who is a guest is the site's to say each time, the guest keeps the uid.
	var guest auth.LoginResult
	s.want(t, 200, "POST", "/login", `{"username":"Gus"}`, "Cookie", "sid=2").json(t, &guest)
	first := ""
	for range 2 {
		_, ws := s.wantShake(t, 101, "", http.Header{"Cookie": {"sid=2"}, "Authorization": {"Bearer " + guest.Token}})
		if err := ws.ReadJSON(&welcome); err != nil || first != "" && welcome.Payload.UID != first {
			t.Errorf("the guest is %s, before it was %s, %v", welcome.Payload.UID, first, err)
		}
		first = welcome.Payload.UID
	}
	s.wantShake(t, 401, "", http.Header{"Cookie": {"sid=3"}, "Authorization": {"Bearer " + guest.Token}})
}

// With a key as well, the hook is asked about what is no JWT.
func TestLoginHookBesideAKey(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey, cfg.Hook = secret, []string{"login"}
	s := serve(t, cfg)
	v := serviceOf(t, s)
	v.say("login", `{"uid":"opaque"}`)
	token := sign(t, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
	s.wantShake(t, 101, "token="+token, nil)
	s.wantShake(t, 401, "token="+token[:len(token)-4], nil)
	if n := v.count("login"); n != 0 {
		t.Errorf("the hook was asked %d times about what the key decides", n)
	}
	s.wantShake(t, 101, "token=no-jwt&room=general", nil)
	if asked := v.newest("login"); !strings.Contains(asked, `"token":"no-jwt"`) {
		t.Errorf("asked %s", asked)
	}
}

// A yes that is kept ends with a kick, whatever node hears of it; a hook that is
// down costs those who need it and nobody else.
func TestJoinAndPublishHooks(t *testing.T) {
	cfg := testConfig()
	cfg.Hook = []string{"join", "publish"}
	s := serve(t, cfg)
	v := serviceOf(t, s)
	v.say("join", `{"ok":true,"for_s":3600}`)
	v.say("publish", `{"ok":true,"payload":{"message":"***"}}`)
	ann := s.dial(t, "ann", "")
	uid := ann.Welcome().UID
	if _, err := ann.Publish(t.Context(), "general", wire.TypeSendMessage, wire.SendMessage{Message: "damn"}); err != nil {
		t.Fatal(err)
	}
	msg := ann.next(t, wire.TypeNewMessage)
	if wire.MemberText(msg.Payload, "message") != "***" || wire.MemberText(msg.Payload, "uid") != uid {
		t.Errorf("the message is %s", msg.Payload)
	}
	if n := v.count("join"); n != 1 {
		t.Errorf("the join hook was asked %d times, want once", n)
	}
	for i := range 2 { // leaves and comes back; then after a kick
		if i == 1 {
			s.want(t, 200, "DELETE", "/api/rooms/general/members/"+uid, "")
			ann.next(t, wire.TypeRoomLeft)
		}
		before := v.count("join")
		if i == 0 {
			if err := ann.Leave(t.Context(), "general"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ann.Join(t.Context(), "general", client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := v.count("join") - before; got != i {
			t.Errorf("joining again asked %d times, want %d", got, i)
		}
	}

	v.say("join", "")
	v.say("publish", "")
	s.wantShake(t, 503, "room=general", nil)
	s.want(t, 200, "POST", "/api/rooms/general/events", hello) // services pass no hook
	ann.next(t, wire.TypeNewMessage)
	text := s.want(t, 200, "GET", "/metrics", "").body
	for _, name := range []string{"join_asked", "join_failed", "join_kept", "publish_asked", "login_asked", "join_overloaded", "join_refused"} {
		if !strings.Contains(text, "\nroomd_hook_"+name+"_total ") {
			t.Errorf("roomd_hook_%s_total is missing", name)
		}
	}
	if !strings.Contains(text, "\nroomd_hook_join_failed_total 1\n") {
		t.Error("the silence is not counted")
	}
}

// The service answers from the last question to the first; what a client said is
// stored in its order.
func TestPublishHookAnswersOutOfOrder(t *testing.T) {
	const count = 30 // within the burst
	cfg := testConfig()
	cfg.Hook = []string{"publish"}
	s := serve(t, cfg)
	nc := natsTo(t, s)
	var asked []*nats.Msg
	_, err := nc.Subscribe("roomd.hook.publish", func(msg *nats.Msg) {
		if asked = append(asked, msg); len(asked) < count {
			return
		}
		for _, question := range slices.Backward(asked) {
			if err := question.Respond([]byte(`{"ok":true}`)); err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, ws := s.wantShake(t, 101, "", nil)
	for i := range count {
		said := fmt.Sprintf(`{"type":"send_message","id":"%d","payload":{"message":"%[1]d"}}`, i)
		if err := ws.WriteMessage(websocket.TextMessage, []byte(said)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ws.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < count; {
		var ev wire.Event
		if err := ws.ReadJSON(&ev); err != nil {
			t.Fatal(err)
		}
		switch ev.Type {
		case wire.TypeError:
			t.Fatalf("%+v %s", ev, ev.Payload)
		case wire.TypeNewMessage:
			if got := wire.MemberText(ev.Payload, "message"); got != fmt.Sprint(i) {
				t.Fatalf("the message %s came, want %d", got, i)
			}
			i++
		}
	}
}

func TestHookFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		env  []string
		want []string
	}{
		{[]string{"--hook=enter"}, nil, []string{"--hook", "ROOMD_HOOK", "enter", "login, join or publish"}},
		{[]string{"--hook=login", "--hook=login=https://a.example/x"}, nil, []string{"twice"}},
		{[]string{"--hook=login=a.example"}, nil, []string{"login=https://"}},
		{[]string{"--hook=login=http://a.example"}, nil, []string{"use https"}},
		{[]string{"--hook=publish=https://a.example"}, nil, []string{"over NATS only"}},
		{[]string{"--hook=join=https://a.example"}, nil, []string{"ROOMD_HOOK_KEY", "--hook-key-file"}},
		{[]string{"--hook=join=https://a.example"}, []string{"ROOMD_HOOK_KEY=short"}, []string{"5 bytes", "openssl", "ROOMD_HOOK_KEY (or --hook-key-file)"}},
		{[]string{"--hook=join"}, []string{"ROOMD_HOOK_KEY=" + hookKey}, []string{"leave it out", "ROOMD_HOOK_KEY (or --hook-key-file)"}},
		{[]string{"--hook-key=" + hookKey}, nil, []string{"not for secrets"}},
		{[]string{"--hook=join", "--hook-header=Cookie"}, nil, []string{"--hook-header", "--hook login"}},
		{[]string{"--hook=login", "--hook-header=a b"}, nil, []string{"--hook-header", "name of a header"}},
		{[]string{"--hook=login", "--hook-header=cookie", "--allow-origin=*"}, nil, []string{"name the origins"}},
	} {
		_, err := Load(tt.args, tt.env, nil)
		if err == nil {
			t.Errorf("%q %q was taken", tt.args, tt.env)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v; it does not say %q", tt.args, err, part)
			}
		}
	}
	cfg, err := Load([]string{"--addr=:3000", "--hook=login=https://a.example/x", "--hook", "join,publish", "--hook-header=Cookie"}, []string{"ROOMD_HOOK_KEY=" + hookKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.takesTokens() || cfg.Guests() || fmt.Sprint(cfg.Hook) != "[login=https://a.example/x join publish]" {
		t.Errorf("the configuration is %+v", cfg)
	}
}
