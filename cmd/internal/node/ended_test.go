package node

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const apiKey = "k3y"

var withKey = []string{"Authorization", "Bearer " + apiKey}

// two is a pair of nodes that check tokens, on one NATS.
func two(t *testing.T) (one, other *server) {
	t.Helper()
	cfg := testConfig()
	cfg.JWTKey, cfg.APIKey, cfg.AllowGuests, cfg.NodeName = secret, apiKey, yes(), "one"
	one = serve(t, cfg)
	return one, serve(t, besideTo(t, one, "two"))
}

// besideTo is the configuration of another node on the NATS of one.
func besideTo(t *testing.T, one *server, name string) Config {
	t.Helper()
	cfg := one.cfg
	cfg.NodeName = name
	cfg.NATSURL = strings.Replace(one.NATSURL(), "://", "://roomd:"+password(t, one)+"@", 1)
	return cfg
}

// password is that of the node's embedded NATS.
func password(t *testing.T, s *server) string {
	t.Helper()
	data, err := os.ReadFile(s.cfg.NATSPasswordFile())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// Ending a user's sessions lasts: on every node, for who was not connected, and at a node that starts later.
func TestSessionsEndForATime(t *testing.T) {
	one, other := two(t)
	old := sign(t, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
	away := sign(t, auth.Claims{UID: "bob", Expires: time.Now().Add(time.Hour)})
	bobs := sign(t, auth.Claims{UID: "bobby", Expires: time.Now().Add(time.Hour)})
	var ticket, guest auth.LoginResult
	one.want(t, 200, "POST", "/login", "", "Authorization", "Bearer "+away).json(t, &ticket)
	one.want(t, 200, "POST", "/login", `{"username":"Gus"}`).json(t, &guest)
	here, there := one.dial(t, "", old), other.dial(t, "", old)
	gus := one.dial(t, "", guest.Token)
	eventually(t, "the nodes' knowing each other", func() bool {
		return strings.Contains(other.want(t, 200, "GET", "/api/rooms/general", "", withKey...).body, `"sessions":3`)
	})

	var closed struct{ Closed int }
	other.want(t, 200, "DELETE", "/api/users/ann/sessions?for=1h", "", withKey...).json(t, &closed)
	if closed.Closed != 2 {
		t.Errorf("closed %d connections, want 2", closed.Closed)
	}
	one.want(t, 200, "DELETE", "/api/users/bob/sessions?for=1h", "", withKey...).json(t, &closed)
	if closed.Closed != 0 {
		t.Errorf("closed %d connections of somebody who was away", closed.Closed)
	}
	one.want(t, 200, "DELETE", "/api/users/"+gus.Welcome().UID+"/sessions?for=1h", "", withKey...)
	for _, m := range []*member{here, there, gus} {
		<-m.Done()
		mustFail(t, m.Err(), "4503")
	}
	later := serve(t, besideTo(t, one, "three"))
	for _, s := range []*server{one, other, later} {
		refused := func(path string, headers ...string) {
			t.Helper()
			eventually(t, "the refusal of "+path, func() bool {
				method := "GET"
				if path == "/login" {
					method = "POST"
				}
				a := s.do(t, method, path, "", headers...)
				return a.status == 401 && strings.Contains(a.body, "ended by an operator")
			})
		}
		for _, token := range []string{old, away, guest.Token} {
			refused("/login", "Authorization", "Bearer "+token)
			refused("/ws", "Authorization", "Bearer "+token)
		}
		s.want(t, 400, "GET", "/ws", "", "Authorization", "Bearer "+bobs) // past the login, and no WebSocket
	}
	if a := later.do(t, "GET", "/ws?otp="+ticket.OTP, ""); a.status != 401 {
		t.Errorf("a ticket from before: %d %s", a.status, a.body)
	}
	eventually(t, "a token from after", func() bool {
		fresh := sign(t, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
		return other.do(t, "POST", "/login", "", "Authorization", "Bearer "+fresh).status == 200
	})

	one.want(t, 200, "DELETE", "/api/users/bob/sessions?for=0s", "", withKey...)
	eventually(t, "lifting it", func() bool { return other.do(t, "POST", "/login", "", "Authorization", "Bearer "+away).status == 200 })
	for _, wrong := range []string{"soon", "-1h", "721h", "1"} {
		a := one.want(t, 400, "DELETE", "/api/users/bob/sessions?for="+wrong, "", withKey...)
		if a.code() != "bad_payload" || !strings.Contains(a.body, "720h") {
			t.Errorf("for=%s: %s", wrong, a.body)
		}
	}
}

// A parameter that is written wrongly is not passed over.
func TestSessionsEndWithAnotherParameter(t *testing.T) {
	one, _ := two(t)
	if a := one.want(t, 400, "DELETE", "/api/users/bob/sessions?For=1h", "", withKey...); a.code() != "bad_payload" || !strings.Contains(a.body, "?for=1h") {
		t.Errorf("the answer is %s", a.body)
	}
}

// Unless it is said for how long, it is store.DefaultRevocation; and the service on NATS ends as the API does.
func TestSessionsEndByTheService(t *testing.T) {
	one, other := two(t)
	token := func(uid string) string { return sign(t, auth.Claims{UID: uid, Expires: time.Now().Add(time.Hour)}) }
	ann, bob, cy := token("ann"), token("bob"), token("cy")
	status := func(s *server, token string) int {
		return s.do(t, "POST", "/login", "", "Authorization", "Bearer "+token).status
	}
	one.want(t, 200, "DELETE", "/api/users/ann/sessions", "", withKey...)
	nc, err := nats.Connect(one.NATSURL(), nats.UserInfo("roomd", password(t, one)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	kick := func(body string) *nats.Msg {
		t.Helper()
		answer, err := nc.Request("rooms.kick", []byte(body), deadline)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	m := other.dial(t, "", bob)
	if a := kick(`{"uid":"bob","for_s":3600}`); string(a.Data) != `{"closed":1}` {
		t.Errorf("answered %s %v", a.Data, a.Header)
	}
	<-m.Done()
	kick(`{"uid":"cy","for_s":0}`)
	for _, s := range []*server{one, other} {
		eventually(t, "ann's end", func() bool { return status(s, ann) == 401 })
		eventually(t, "bob's end", func() bool { return status(s, bob) == 401 })
		if got := status(s, cy); got != 200 {
			t.Errorf("cy was only to be closed: %d", got)
		}
	}
	for _, wrong := range []string{`{"uid":"bob","for_s":-1}`, `{"uid":"bob","for_s":2592001}`, `{"uid":"@","for_s":1e99}`} {
		if a := kick(wrong); a.Header.Get("Nats-Service-Error-Code") == "" {
			t.Errorf("%s is answered %s %v", wrong, a.Data, a.Header)
		}
	}
}

// Who comes in at the moment in which the sessions end is closed too.
func TestWhoSlippedInIsClosed(t *testing.T) {
	one, other := two(t)
	old := sign(t, auth.Claims{UID: "ann", Expires: time.Now().Add(time.Hour)})
	m := other.dial(t, "", old)
	// What the command that closes connections does not reach: here nobody sends one.
	if err := one.revoked.Load().Revoke(t.Context(), "ann", time.Hour); err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	mustFail(t, m.Err(), "4503")

	cfg := client.Config{URL: strings.Replace(other.url, "http", "ws", 1) + "/ws", Token: func(context.Context) (string, error) { return old, nil }}
	if _, err := client.Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "ended by an operator") {
		t.Errorf("dialled with %v", err)
	}
}
