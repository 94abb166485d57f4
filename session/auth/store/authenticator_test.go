package store

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// request builds GET /ws?<query>, with an Authorization header if it is not
// empty.
func request(query, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.URL.RawQuery = query
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func TestIdentifyOrder(t *testing.T) {
	_, conns := nodes(t, 1)
	full := &auth.Authenticator{Verifier: auth.NewVerifier(mustKey(t, secret)), Tickets: newTickets(t, conns[0]), Guests: newGuests(t, conns[0])}
	jwtOf := func(uid string) string { return mustSign(t, secret, auth.Claims{UID: uid}) }
	otpOf := func(uid string) string { return issue(t, full.Tickets, auth.Identity{UID: uid, Username: uid}) }
	gina := full.Guests.New(auth.Profile{Username: "Gina", AvatarID: "1"})
	ginasToken := guestToken(t, full.Guests, gina)
	for _, tc := range []struct {
		name   string
		who    *auth.Authenticator
		query  string
		header string
		uid    string // expected; "guest-" any guest
		bad    string // or the error
	}{
		{"bearer first", full, "otp=x&token=y", "Bearer " + jwtOf("a"), "a", ""},
		{"bearer in other case", full, "", "bearer  " + jwtOf("a"), "a", ""},
		{"otp before token", full, "token=y&otp=" + otpOf("b"), "", "b", ""},
		{"token", full, "token=" + jwtOf("c") + "&username=x", "", "c", ""},
		{"guest's token in a URL", full, "token=" + ginasToken, "", "", "POST /login"},
		{"guest's token as bearer", full, "", "Bearer " + ginasToken, gina.UID, ""},
		{"guest", full, "username=Gus&avatar_id=3", "", "guest-", ""},
		{"somebody else's header", full, "", "Basic Zm9vOmJhcg==", "guest-", ""},

		{"bad bearer", full, "token=" + jwtOf("c"), "Bearer x.y.z", "", "well-formed"},
		{"empty bearer", full, "", "Bearer", "", "empty"},
		{"bad otp", full, "otp=nope&token=" + jwtOf("c"), "", "", "ticket"},
		{"empty otp", full, "otp=", "", "", "ticket"},
		{"bad token", full, "token=x", "", "", "well-formed"},
		{"empty token", full, "token=", "", "", "empty"},
		{"token too long", full, "token=" + strings.Repeat("x", auth.MaxToken+1), "", "", "longer"},
		{"damaged query", full, "otp=%zz", "", "", "malformed"},
		{"forged guest", full, "", "Bearer " + guestToken(t, guestsOf(t, secret), gina), "", "not signed with"},

		{"no guests", &auth.Authenticator{Verifier: full.Verifier}, "username=x", "", "", "guests are not allowed"},
		{"no guests, guest's token", &auth.Authenticator{Verifier: full.Verifier}, "token=" + ginasToken, "", "", "guests are not allowed"},
		{"no key", &auth.Authenticator{Guests: full.Guests}, "token=" + jwtOf("c"), "", "", "no JWT"},
		{"no tickets", &auth.Authenticator{Guests: full.Guests}, "otp=x", "", "", "no tickets"},
		{"nothing", &auth.Authenticator{}, "", "", "", "log in first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := tc.who.Identify(request(tc.query, tc.header))
			if tc.bad != "" {
				wantRefused(t, err, tc.bad)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if id.UID != tc.uid && (tc.uid != "guest-" || !strings.HasPrefix(id.UID, "guest-")) {
				t.Errorf("got %+v, want %q", id, tc.uid)
			}
			if id.Guest != strings.HasPrefix(id.UID, "guest-") || id.Username == "x" {
				t.Errorf("got %+v", id)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	_, conns := nodes(t, 1)
	who := &auth.Authenticator{Verifier: auth.NewVerifier(mustKey(t, secret)), Tickets: newTickets(t, conns[0]), Guests: newGuests(t, conns[0])}
	redeem := func(login auth.LoginResult) auth.Identity {
		t.Helper()
		if login.ExpiresIn != 30 {
			t.Errorf("expires in %d", login.ExpiresIn)
		}
		id, err := who.Identify(request("otp="+url.QueryEscape(login.OTP), ""))
		if err != nil {
			t.Fatal(err)
		}
		if id.UID != login.Identity.UID {
			t.Errorf("the ticket of %q is for %q", login.Identity.UID, id.UID)
		}
		return id
	}

	user, err := who.Login(request("", "Bearer "+mustSign(t, secret, auth.Claims{UID: "percy", Expires: time.Now().Add(time.Hour)})), auth.Profile{Username: "ignored"})
	if err != nil {
		t.Fatal(err)
	}
	if id := redeem(user); id.UID != "percy" || id.Username != "percy" || id.Guest || id.Expires.IsZero() || user.Token != "" {
		t.Errorf("user %+v, token %q", id, user.Token)
	}

	guest, err := who.Login(request("", ""), auth.Profile{Username: "Gina", AvatarID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	first := redeem(guest)
	if !first.Guest || first.Username != "Gina" || guest.Token == "" {
		t.Errorf("guest %+v, token %q", first, guest.Token)
	}
	guest, err = who.Login(request("", "Bearer "+guest.Token), auth.Profile{AvatarID: "2"})
	if err != nil {
		t.Fatal(err)
	}
	if again := redeem(guest); again.UID != first.UID || again.Username != "Gina" || again.AvatarID != "2" || guest.Token == "" {
		t.Errorf("guest %+v became %+v", first, again)
	}

	_, err = who.Login(request("", "Bearer x"), auth.Profile{Username: "Gina"})
	wantRefused(t, err, "well-formed")
	_, err = (&auth.Authenticator{Tickets: who.Tickets}).Login(request("", ""), auth.Profile{Username: "Gina"})
	wantRefused(t, err, "guests are not allowed")
	_, err = (&auth.Authenticator{Guests: who.Guests}).Login(request("", ""), auth.Profile{Username: "Gina"})
	wantUnavailable(t, err)
	conns[0].Close()
	_, err = who.Login(request("", ""), auth.Profile{Username: "Gina"})
	wantUnavailable(t, err)
}
