package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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

func TestGuestIsNamedByTheQuery(t *testing.T) {
	who := &Authenticator{Guests: &Guests{secret: secret}}
	first, err := who.Identify(request(url.Values{"username": {" 小明 "}, "avatar_id": {"3"}}.Encode(), ""))
	if err != nil {
		t.Fatal(err)
	}
	if first.Username != "小明" || first.AvatarID != "3" {
		t.Errorf("guest %+v", first)
	}
	token := guestToken(t, who.Guests, first)
	kept, err := who.Identify(request("", "Bearer "+token))
	if err != nil || kept.Username != "小明" || kept.AvatarID != "3" {
		t.Errorf("guest %+v, %v", kept, err)
	}
	again, err := who.Identify(request("username=Ming", "Bearer "+token))
	if err != nil || again.UID != first.UID || again.Username != "Ming" || again.AvatarID != "3" {
		t.Errorf("renamed guest %+v, %v", again, err)
	}
}

func TestErrorShowsItsCauseOnlyInTheLog(t *testing.T) {
	err := Unavailable("read a ticket", errors.New("nats: timeout"))
	if strings.Contains(err.Message, "nats") || !strings.Contains(err.Error(), "read a ticket: nats: timeout") {
		t.Errorf("message %q, error %q", err.Message, err)
	}
}

// What begins like a bearer token and is none is refused; other schemes are not
// looked at, as they may be for a proxy.
func TestMalformedBearerIsNoGuest(t *testing.T) {
	guests, err := NewGuests(secret)
	if err != nil {
		t.Fatal(err)
	}
	who := &Authenticator{Guests: guests}
	for header, guest := range map[string]bool{
		"": true, "Basic YTpi": true, "Negotiate x": true, "Token x": true, "Bearers x": true, "Bearer-2 x": true,
		"Bearer": false, "Bearer ": false, "Bearer x": false, "bearer\tx": false, "Bearer\u00a0x": false, "Bearer:x": false, "Bearer=x": false, "Bearer, x": false,
	} {
		id, err := who.Identify(request("", header))
		var refused *Error
		if guest && (err != nil || !id.Guest) || !guest && (!errors.As(err, &refused) || refused.Status() != http.StatusUnauthorized) {
			t.Errorf("%q is %+v, %v; want a guest: %v", header, id, err, guest)
		}
	}
}

// allRevoked are Revocations of everybody.
type allRevoked struct{}

func (allRevoked) Revoked(Identity) bool { return true }

// A nil pointer that Ask returns as its error is none, and hides no revocation.
func TestAskWithNilPointerIsCheckedForRevocation(t *testing.T) {
	who := &Authenticator{Revocations: allRevoked{}, Ask: func(*http.Request, string) (Identity, error) {
		var none *Error
		return Identity{UID: "ann", Username: "Ann"}, none
	}}
	var refused *Error
	if id, err := who.Identify(request("", "")); !errors.As(err, &refused) || refused == nil {
		t.Errorf("a revoked user was let in as %+v, %v", id, err)
	}
	who.Revocations = nil
	if id, err := who.Identify(request("", "")); err != nil || id.UID != "ann" {
		t.Errorf("the user is %+v, %#v", id, err)
	}
}
