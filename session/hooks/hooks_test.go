package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func joinOf(uid, room string) session.JoinRequest {
	return session.JoinRequest{Who: auth.Identity{UID: uid}, Room: wire.Room(room)}
}

// handshake is a request as a browser makes it.
func handshake(query string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://chat.example.com/ws?"+query, nil)
	r.RemoteAddr = "10.1.2.3:4567"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestLoginOverNATS(t *testing.T) {
	b := newBackend(t)
	var asked map[string]any
	answer := ""
	b.serve(t, LoginSubject, func(q map[string]any) string { asked = q; return answer })
	proxies, err := auth.ParseProxies([]string{"10.0.0.0/8"})
	must(t, err)
	h := b.hooks(t, Config{Login: OverNATS, Headers: []string{"cookie", "X-Tenant"}, Node: "n1", Proxies: proxies})

	answer = `{"uid":42,"name":" Ann\u202e ","avatar":7,"rooms":["vip-*"],"speak":[],"expires_at":32503680000000,"more":"is ignored"}`
	id, err := h.Login(handshake("room=vip-1", "Origin", "http://chat.example.com", "Cookie", "a=1", "Cookie", "b=2",
		"X-Tenant", "x", "X-Forwarded-For", "1.2.3.4", "Authorization", "Basic secret"), "opaque")
	must(t, err)
	same(t, "uid", id.UID, "42")
	same(t, "name", id.Username, "Ann")
	same(t, "avatar", id.AvatarID, "7")
	same(t, "expires", id.Expires.UTC().Year(), 3000)
	if !id.MayEnter("vip-2") || id.MayEnter("general") || id.MaySpeak("vip-2") || id.Guest || !id.IssuedAt.IsZero() {
		t.Errorf("the identity is %+v", id)
	}
	if asked["id"] == "" {
		t.Error("the question has no id")
	}
	delete(asked, "id")
	got, err := json.Marshal(asked)
	must(t, err)
	same(t, "the question", string(got), `{"headers":{"cookie":"a=1; b=2","x-tenant":"x"},"ip":"1.2.3.4","node":"n1","origin":"http://chat.example.com","room":"vip-1","token":"opaque"}`)

	answer = `{"guest":true}`
	id, err = h.Login(handshake(""), "")
	must(t, err)
	if !id.Guest || id.UID != "" {
		t.Errorf("the guest is %+v", id)
	}
	answer = `{"uid":"ann","rooms":null,"expires_at":null,"error":null}`
	id, err = h.Login(handshake(""), "")
	must(t, err)
	if !id.MayEnter("anything") || !id.Expires.IsZero() || id.Username != "ann" {
		t.Errorf("the identity is %+v", id)
	}
	same(t, "LoginAsked", h.Stats().LoginAsked.Load(), 3)
	same(t, "LoginFailed", h.Stats().LoginFailed.Load(), 0)

	_, err = h.Login(handshake("", "Origin", "https://evil.example", "Cookie", "a=1"), "")
	mustRefuse(t, "a page that may not connect", err, wire.Forbidden)
	same(t, "LoginAsked of it", h.Stats().LoginAsked.Load(), 3)
}

// Only {error} refuses, with the code that it names if that is one of ours.
func TestRefusals(t *testing.T) {
	b := newBackend(t)
	answer := ""
	say := func(map[string]any) string { return answer }
	b.serve(t, LoginSubject, say)
	b.serve(t, JoinSubject, say)
	b.serve(t, PublishSubject, say)
	h := b.hooks(t, Config{Login: OverNATS, Join: OverNATS, Publish: OverNATS})
	for _, tt := range []struct {
		answer               string
		login, join, publish wire.Code
		message              string
	}{
		{`{"error":"no"}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, "no"},
		{`{"ok":true,"uid":"ann","error":"no"}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, "no"},
		{`{"error":{"code":"rate_limited","message":"slowly"}}`, wire.RateLimited, wire.RateLimited, wire.RateLimited, "slowly"},
		{`{"error":{"code":"unavailable"}}`, wire.Unavailable, wire.Unavailable, wire.Unavailable, "unavailable"},
		{`{"error":{"code":"forbidden","message":"no"}}`, wire.Forbidden, wire.Forbidden, wire.Forbidden, "no"},
		{`{"error":{"code":"muted","message":"no"}}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, "no"},
		{`{"error":{"code":"internal","message":"no"}}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, "no"},
		{`{"ok":true,"uid":"ann","error":""}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, noReason},
		{`{"ok":true,"uid":"ann","error":" \n"}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, noReason},
		{`{"ok":true,"guest":true,"error":{}}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, noReason},
		{`{"ok":true,"error":{"code":"","message":null}}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, noReason},
		{`{"ok":true,"error":{"Code":"busy","Message":"no"}}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, noReason},
		{`{"error":"` + strings.Repeat("é", 600) + `"}`, wire.Unauthorized, wire.Forbidden, wire.Forbidden, strings.Repeat("é", maxReason)},
	} {
		answer = tt.answer
		_, err := h.Login(handshake(""), "")
		mustRefuse(t, answer, err, tt.login)
		err = h.Join(t.Context(), joinOf("ann", "r"))
		mustRefuse(t, answer, err, tt.join)
		same(t, answer, wire.AsError(err).Message, tt.message)
		_, err = h.Publish(t.Context(), event("m", "r"))()
		mustRefuse(t, answer, err, tt.publish)
	}
	same(t, "LoginRefused", h.Stats().LoginRefused.Load(), 13)
	same(t, "JoinRefused", h.Stats().JoinRefused.Load(), 13)
	same(t, "PublishRefused", h.Stats().PublishRefused.Load(), 13)
}

func event(id, room string) session.PublishRequest {
	return session.PublishRequest{Who: auth.Identity{UID: "ann"}, ID: id, Room: wire.Room(room), Event: []byte(`{"type":"new_message","payload":{"message":"hi"}}`)}
}

// Names of fields are matched exactly: what only looks like one of ours, as a
// form of a site may let its users add, is nobody's.
func TestAnswersAreReadExactly(t *testing.T) {
	b := newBackend(t)
	b.serve(t, LoginSubject, func(map[string]any) string {
		return `{"uid":"alice","UID":"bob","Guest":true,"Rooms":[],"ERROR":"no","x":1,"x":2}`
	})
	b.serve(t, PublishSubject, func(map[string]any) string {
		return `{"ok":true,"payload":{"message":"<b>"},"Payload":{"message":"bad"}}`
	})
	h := b.hooks(t, Config{Login: OverNATS, Publish: OverNATS})
	id, err := h.Login(handshake(""), "")
	must(t, err)
	if id.UID != "alice" || id.Guest || !id.MayEnter("anything") {
		t.Errorf("the identity is %+v", id)
	}
	payload, err := h.Publish(t.Context(), event("m", "r"))()
	must(t, err)
	same(t, "the payload", string(payload), `{"message":"<b>"}`)
}

// What makes no sense refuses nobody.
func TestGarbage(t *testing.T) {
	b := newBackend(t)
	var log bytes.Buffer
	answer := ""
	say := func(map[string]any) string { return answer }
	b.serve(t, LoginSubject, say)
	b.serve(t, JoinSubject, say)
	b.serve(t, PublishSubject, say)
	h := b.hooks(t, Config{Login: OverNATS, Join: OverNATS, Publish: OverNATS, Log: zerolog.New(&log)})
	big := `{"ok":true,"uid":"ann","x":"` + strings.Repeat("x", MaxResponse) + `"}`
	of := map[string][]string{
		"login": {`{}`, `null`, `[]`, `x`, `{"uid":""}`, `{"uid":"guest-1"}`, `{"uid":"@ann"}`, `{"uid":"a b"}`, `{"uid":true}`, `{"uid":"ann","guest":true}`,
			`{"guest":false}`, `{"error":true}`, `{"uid":"ann","error":false}`, `{"ok":true}`,
			`{"UID":"ann"}`, `{"Guest":true}`, `{"uid":"ann","uid":"bob"}`, `{"uid":"ann","u\u0069d":"bob"}`, `{"uid":"ann","error":null,"error":null}`, "{\"uid\":\"\xff\"}",
			`{"error":{"code":"busy","code":"forbidden"}}`, `{"uid":"ann"}{"uid":"bob"}`,
			`{"uid":"ann","rooms":"general"}`, `{"uid":"ann","expires_at":1700000000}`, big},
		"join":    {`{}`, `x`, `{"ok":false}`, `{"ok":"yes"}`, `{"ok":true,"for_s":-1}`, `{"ok":true,"for_s":"60"}`, `{"OK":true}`, `{"ok":false,"ok":true}`, `{"ok":true,"for_s":1,"for_s":60}`, big},
		"publish": {`{}`, `x`, `{"ok":false}`, `{"payload":{}}`, `{"Ok":true}`, `{"ok":true,"payload":1,"payload":2}`, big},
	}
	for hook, answers := range of {
		for _, answer = range answers {
			var err error
			switch hook {
			case "login":
				_, err = h.Login(handshake(""), "")
			case "join":
				err = h.Join(t.Context(), joinOf("ann", "r"))
			case "publish":
				_, err = h.Publish(t.Context(), event("m", "r"))()
			}
			mustRefuse(t, hook+" "+answer[:min(len(answer), 60)], err, wire.Unavailable)
		}
	}
	same(t, "LoginFailed", int(h.Stats().LoginFailed.Load()), len(of["login"]))
	same(t, "JoinFailed", int(h.Stats().JoinFailed.Load()), len(of["join"]))
	same(t, "PublishFailed", int(h.Stats().PublishFailed.Load()), len(of["publish"]))
	same(t, "refused", h.Stats().LoginRefused.Load()+h.Stats().JoinRefused.Load()+h.Stats().PublishRefused.Load(), 0)
	if n := strings.Count(log.String(), "\n"); n != 3 { // one of each hook
		t.Errorf("the log has %d lines: %s", n, &log)
	}
}

// A failure that goes on does not hide another from the log.
func TestEachKindOfFailureIsLogged(t *testing.T) {
	status, answer := http.StatusInternalServerError, "x"
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer) // who asked may have gone
	}))
	var log bytes.Buffer
	h, err := New(nil, Config{Join: site.URL, Key: bytes.Repeat([]byte("k"), MinKey), Log: zerolog.New(&log)})
	must(t, err)
	defer func() { must(t, h.Close()) }()
	fail := func(lines int, why string) {
		t.Helper()
		for range 2 {
			mustRefuse(t, why, h.Join(t.Context(), joinOf("ann", "r")), wire.Unavailable)
		}
		if got := strings.Count(log.String(), "\n"); got != lines || !strings.Contains(log.String(), why) {
			t.Errorf("the log has %d lines, want %d, one of %q: %s", got, lines, why, &log)
		}
	}
	fail(1, "500")
	status = http.StatusOK
	fail(2, "cannot be read")
	site.Close()
	fail(3, "ask the URL")
}

// Nobody there is known at once; silence after Timeout, and until then no more
// than MaxInFlight are asked. An answer that comes late is nobody's.
func TestSilenceAndOverload(t *testing.T) {
	b := newBackend(t)
	h := b.hooks(t, Config{Join: OverNATS})
	mustRefuse(t, "nobody there", h.Join(t.Context(), joinOf("ann", "r")), wire.Unavailable)

	var mu sync.Mutex
	var unanswered []*nats.Msg
	_, err := b.own.Subscribe(JoinSubject, func(msg *nats.Msg) {
		mu.Lock()
		unanswered = append(unanswered, msg)
		mu.Unlock()
	})
	must(t, err)
	must(t, b.own.Flush())
	// A round shows it in which all are asked before the first has waited for
	// Timeout; on a slow machine that may not be the first round.
	eventually(t, "one question is too many", func() bool {
		mu.Lock()
		before := len(unanswered)
		mu.Unlock()
		var all sync.WaitGroup
		for i := range MaxInFlight {
			all.Go(func() { mustRefuse(t, "silence", h.Join(t.Context(), joinOf(fmt.Sprint(i), "r")), wire.Unavailable) })
		}
		eventually(t, "all are asked", func() bool { mu.Lock(); defer mu.Unlock(); return len(unanswered) >= before+MaxInFlight })
		mustRefuse(t, "one more", h.Join(t.Context(), joinOf("one", "r")), wire.Unavailable)
		all.Wait()
		return h.Stats().JoinOverloaded.Load() > 0
	})
	asked := h.Stats().JoinAsked.Load()
	same(t, "JoinOverloaded", h.Stats().JoinOverloaded.Load(), 1)
	same(t, "JoinFailed", h.Stats().JoinFailed.Load(), asked)
	eventually(t, "each question was heard once, but that which nobody was there for", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return int64(len(unanswered)) == asked-1
	})
	for _, msg := range unanswered {
		must(t, msg.Respond([]byte(`{"ok":true,"for_s":60}`)))
	}
	must(t, b.own.Flush())
	must(t, b.nc.Flush())
	h.nats.mu.Lock()
	same(t, "what waits for answers", len(h.nats.waiting), 0)
	h.nats.mu.Unlock()
	same(t, "Kept", h.Stats().Kept.Load(), 0)

	// Who goes meanwhile is no fault of the backend's.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	mustRefuse(t, "the client has gone", h.Join(gone, joinOf("ann", "r")), wire.Unavailable)
	same(t, "JoinFailed then", h.Stats().JoinFailed.Load(), asked)
}

func TestKeptYes(t *testing.T) {
	b := newBackend(t)
	asked := 0
	var during func()
	b.serve(t, JoinSubject, func(q map[string]any) string {
		asked++
		if during != nil {
			during()
		}
		return fmt.Sprintf(`{"ok":true,"for_s":%s}`, map[any]string{"short": "0.001", "none": "0", "long": "1e300"}[q["room"]])
	})
	h := b.hooks(t, Config{Join: OverNATS})
	join := func(uid, room string, want int) {
		t.Helper()
		must(t, h.Join(t.Context(), joinOf(uid, room)))
		if asked != want {
			t.Errorf("%s in %s: the backend was asked %d times, want %d", uid, room, asked, want)
		}
	}
	join("ann", "long", 1)
	join("ann", "long", 1)
	join("bob", "long", 2)
	join("ann", "none", 3)
	join("ann", "none", 4)
	h.Kicked("other", "ann")
	join("ann", "long", 4)
	h.Kicked("long", "ann")
	join("ann", "long", 5)
	join("bob", "long", 5)
	h.Kicked("", "ann")
	join("ann", "long", 6)
	join("ann", "long", 6)
	during = func() { h.Kicked("long", "eve") }
	join("eve", "long", 7) // the yes may be from before
	during = nil
	join("eve", "long", 8)
	same(t, "JoinKept", h.Stats().JoinKept.Load(), 4)

	join("ann", "short", 9)
	eventually(t, "it is over", func() bool {
		yes, _ := h.cache.has(cacheKey{"ann", "short"}, time.Now())
		return !yes
	})
	join("ann", "short", 10)
	if until := h.cache.until[cacheKey{"eve", "long"}]; until.After(time.Now().Add(MaxCacheTTL)) {
		t.Errorf("a yes is kept until %s", until)
	}
	for i := range MaxCached + 10 {
		h.cache.put(cacheKey{strconv.Itoa(i), "r"}, time.Now().Add(time.Hour), h.cache.kicks)
	}
	same(t, "how many are kept", len(h.cache.until), MaxCached)
}

// The backend hears of the events in the order in which they were asked about,
// and their answers find them in any order.
func TestPublishOrder(t *testing.T) {
	b := newBackend(t)
	const count = 100
	var asked []string
	var msgs []*nats.Msg
	_, err := b.own.Subscribe(PublishSubject, func(msg *nats.Msg) {
		var q struct {
			UID, Room string
			Guest     bool
			Event     wire.Event
		}
		if err := json.Unmarshal(msg.Data, &q); err != nil || q.UID != "ann" || q.Room != "r" || q.Event.Type != wire.TypeNewMessage ||
			wire.MemberText(q.Event.Payload, "message") != "hi" {
			t.Errorf("asked %s", msg.Data)
		}
		asked, msgs = append(asked, q.Event.ID), append(msgs, msg)
		if len(msgs) < count {
			return
		}
		for i, m := range slices.Backward(msgs) {
			if err := m.Respond([]byte(fmt.Sprintf(`{"ok":true,"payload":{"message":"%d"}}`, i))); err != nil {
				t.Error(err)
			}
		}
	})
	must(t, err)
	must(t, b.own.Flush())
	h := b.hooks(t, Config{Publish: OverNATS})
	var answers []func() (json.RawMessage, error)
	for i := range count {
		answers = append(answers, h.Publish(t.Context(), event(strconv.Itoa(i), "r")))
	}
	for i, answer := range answers {
		payload, err := answer()
		must(t, err)
		same(t, "the payload", string(payload), fmt.Sprintf(`{"message":"%d"}`, i))
		same(t, "what was asked", asked[i], strconv.Itoa(i))
	}
}

func TestOverHTTP(t *testing.T) {
	answer := `{"uid":"ann"}`
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, answer) })
	h, err := New(nil, Config{Login: s.URL + "/login", Join: s.URL + "/join?x=1", Key: key})
	must(t, err)
	defer h.Close()
	id, err := h.Login(handshake("room=vip"), "opaque")
	must(t, err)
	same(t, "the uid", id.UID, "ann")
	head, body := s.heads[0], s.asked[0]
	same(t, "Content-Type", head.Get("Content-Type"), "application/json")
	t0, _, _ := strings.Cut(strings.TrimPrefix(head.Get(SignatureHeader), "t="), ",")
	seconds, err := strconv.ParseInt(t0, 10, 64)
	must(t, err)
	same(t, SignatureHeader, head.Get(SignatureHeader), Signature(key, time.Unix(seconds, 0), []byte(body)))
	if !strings.Contains(body, `"token":"opaque"`) || !strings.Contains(body, `"room":"vip"`) {
		t.Errorf("asked %s", body)
	}
	answer = `{"ok":true}`
	must(t, h.Join(t.Context(), joinOf("ann", "r")))
	answer = `{"error":"no"}`
	mustRefuse(t, "a refusal", h.Join(t.Context(), joinOf("ann", "r")), wire.Forbidden)
}

// signed is the example of the contract, made with openssl.
const signed = "t=1800000000,v1=c8e2c3e0d17518c9ae2f78d38c97afc3e4f4638998dcf5b5142cb55fe124e345"

func TestSignature(t *testing.T) {
	got := Signature([]byte("0123456789abcdef"), time.Unix(1800000000, 0), []byte(`{"id":"1"}`))
	same(t, "the signature", got, signed)
}

func TestHTTPThatFails(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) }) // before the site waits for its handlers
	var mode atomic.Value
	var s *site
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch mode := mode.Load().(string); mode {
		case "redirect":
			http.Redirect(w, r, s.URL+"/elsewhere", http.StatusTemporaryRedirect)
		case "silence":
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		case "slow body":
			w.WriteHeader(200)
			_, _ = io.WriteString(w, `{"ok":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "endless":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		default:
			status, _ := strconv.Atoi(mode)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":"a framework's page"}`)
		}
	})
	h, err := New(nil, Config{Join: s.URL, Key: key, Log: quiet})
	must(t, err)
	defer h.Close()
	modes := []string{"401", "403", "404", "500", "redirect", "silence", "slow body", "endless"}
	for _, one := range modes {
		mode.Store(one)
		mustRefuse(t, one, h.Join(t.Context(), joinOf("ann", "r")), wire.Unavailable)
	}
	s.mu.Lock()
	same(t, "questions", len(s.asked), len(modes)) // nobody follows, or asks again
	s.mu.Unlock()
	same(t, "JoinFailed", int(h.Stats().JoinFailed.Load()), len(modes))
	s.Close()
	mustRefuse(t, "nobody there", h.Join(t.Context(), joinOf("ann", "r")), wire.Unavailable)
}

func TestConfigThatCannotWork(t *testing.T) {
	every, err := auth.ParseOrigins([]string{"*"})
	must(t, err)
	for want, cfg := range map[string]Config{
		"use https":            {Login: "http://example.com/x", Key: key},
		"password":             {Login: "https://a:b@example.com/x", Key: key},
		"no URL":               {Join: "example.com", Key: key},
		"over NATS only":       {Publish: "https://example.com/x", Key: key},
		"at least 16":          {Join: "https://example.com/x", Key: key[1:]},
		"name of a header":     {Login: OverNATS, Headers: []string{"a b"}},
		"name the origins":     {Login: OverNATS, Headers: []string{"cookie"}, Origins: every},
		"behind #":             {Join: "https://example.com/#x", Key: key},
		"no connection to it":  {Join: OverNATS},
		"the address of the l": {Login: "https://", Key: key},
	} {
		if _, err := New(nil, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	for _, address := range []string{"", OverNATS, "https://example.com", "http://localhost:1/x", "http://127.0.0.1:1", "http://[::1]:1"} {
		must(t, CheckAddress("login", address))
	}
}
