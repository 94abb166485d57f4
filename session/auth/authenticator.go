package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Tickets issues and redeems one-time tickets: short-lived credentials that may
// appear in a URL. A ticket that one node issued can be redeemed at any. Its
// methods may be called from any goroutine. store.Tickets implements it.
type Tickets interface {
	// Issue returns a new ticket for id and how long it is valid. Its error is
	// an *Error of ErrUnavailable.
	Issue(ctx context.Context, id Identity) (otp string, expiresIn time.Duration, err error)
	// Redeem returns the identity that otp was issued to, and invalidates it:
	// of any number of concurrent calls, on any nodes, one succeeds. The error
	// for an unknown, used or expired ticket is an *Error of ErrBadCredential;
	// after ErrUnavailable the ticket may or may not be valid.
	Redeem(ctx context.Context, otp string) (Identity, error)
}

// Revocations is the list of users whose credentials were revoked when their
// sessions were ended. Its method may be called from any goroutine, and does
// not block. store.Revocations implements it.
type Revocations interface {
	// Revoked reports whether the credential that id came from was issued
	// before its user's sessions were ended, or does not say when it was
	// issued.
	Revoked(id Identity) bool
}

// Authenticator identifies requests by the kinds of credentials that are
// enabled. Its fields are set before the first use; its methods may be called
// from any goroutine.
type Authenticator struct {
	Verifier    *Verifier   // nil: users' JWTs are refused
	Tickets     Tickets     // nil: tickets are refused
	Guests      *Guests     // nil: guests are refused
	Revocations Revocations // nil: no credential is ever revoked

	// Ask, if not nil, identifies the requests that this server cannot: those
	// without one of its credentials, but perhaps with a cookie, and those with
	// a token that is no JWT or that there is no Verifier for. token is "" if
	// the request has none. It is also asked whether somebody with a guest's
	// token is let in; the token itself is not passed. An identity of a Guest
	// without a uid gets a new uid, or that of the token; this needs Guests. It
	// is called on the request's goroutine. Its errors are *Error or
	// *wire.Error, and are passed on.
	Ask func(r *http.Request, token string) (Identity, error)

	stats Stats
}

// Stats returns the counters, which may be read at any time.
func (a *Authenticator) Stats() *Stats { return &a.stats }

// Revoked reports whether the credential that id came from has been revoked. A
// nil Authenticator has revoked none.
func (a *Authenticator) Revoked(id Identity) bool {
	return a != nil && a.Revocations != nil && a.Revocations.Revoked(id)
}

// Identify returns the identity that the first of these credentials in the
// request proves: "Authorization: Bearer <token>", ?otp=<ticket>, ?token=<JWT>;
// and without any, a new guest named by ?username= and ?avatar_id=, if guests
// are allowed. The token in the header is a user's JWT or a guest's; the same
// two parameters may rename the guest. A credential that is present and invalid
// is an error, never a guest. Other Authorization schemes are ignored: they may
// be for a proxy. The call invalidates a ticket. If Ask is set, it is called
// before a guest is let in, and for tokens that this server cannot verify.
//
// Its errors are *Error, and those of Ask. It blocks on Tickets, for a ticket,
// and on Ask.
func (a *Authenticator) Identify(r *http.Request) (Identity, error) {
	return a.checkRevoked(a.identify(r))
}

// checkRevoked refuses an identity whose credential has been revoked.
func (a *Authenticator) checkRevoked(id Identity, err error) (Identity, error) {
	if err == nil && a.Revoked(id) {
		a.stats.RefusedEnded.Add(1)
		return Identity{}, refuse("your sessions were ended by an operator; log in again").of(id.UID)
	}
	return id, err
}

func (a *Authenticator) identify(r *http.Request) (Identity, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Otherwise a credential in the malformed part would be ignored.
		return Identity{}, refuse("the query of the URL is malformed; escape what it contains")
	}
	profile := Profile{Username: query.Get("username"), AvatarID: query.Get("avatar_id")}
	if token, found := bearer(r); found {
		return a.token(r, token, profile)
	}
	if query.Has("otp") {
		return a.ticket(r.Context(), query.Get("otp"))
	}
	if query.Has("token") {
		if a.Guests != nil && isGuestToken(query.Get("token")) { // it is valid for weeks, and URLs are logged
			a.stats.RefusedInAddress.Add(1)
			return Identity{}, refuse("a guest's token does not belong in a URL; get a ticket for it with POST /login and Authorization: Bearer, and connect with ?otp=")
		}
		return a.token(r, query.Get("token"), profile)
	}
	return a.guest(r, profile)
}

// LoginResult is the answer to POST /login.
type LoginResult struct {
	OTP       string   `json:"otp"`
	ExpiresIn int      `json:"expires_in"`      // seconds
	Token     string   `json:"token,omitempty"` // a guest's only
	Identity  Identity `json:"-"`               // that the ticket was issued to
}

// Login issues a ticket for the bearer token of the request or, if it has none
// and guests are allowed, for a new guest with that profile. A guest also gets
// a token, with which a later Login or Identify returns the same uid; a guest
// who logs in with such a token gets a new token, and the name in profile if
// there is one. Its errors are *Error, and those of Ask. The request's context
// bounds the call.
func (a *Authenticator) Login(r *http.Request, profile Profile) (LoginResult, error) {
	if a.Tickets == nil {
		return LoginResult{}, Unavailable("issue a ticket", errors.New("tickets are switched off"))
	}
	var id Identity
	var err error
	if token, found := bearer(r); found {
		id, err = a.checkRevoked(a.token(r, token, profile))
	} else {
		id, err = a.checkRevoked(a.guest(r, profile))
	}
	if err != nil {
		return LoginResult{}, err
	}
	result := LoginResult{Identity: id}
	if id.Guest {
		if result.Token, err = a.Guests.Token(id); err != nil {
			return LoginResult{}, Unavailable("make a token", err)
		}
	}
	otp, expiresIn, err := a.Tickets.Issue(r.Context(), id)
	if err != nil {
		return LoginResult{}, err
	}
	result.OTP, result.ExpiresIn = otp, int(expiresIn.Seconds())
	return result, nil
}

func (a *Authenticator) token(r *http.Request, token string, profile Profile) (Identity, error) {
	switch {
	case token == "":
		return Identity{}, refuse("the token is empty; the header is Authorization: Bearer, one space, and the token")
	case len(token) > MaxToken:
		return Identity{}, errLongToken()
	case isGuestToken(token):
		return a.guestToken(r, token, profile)
	case a.Ask != nil && (a.Verifier == nil || !isJWT(token)):
		return a.ask(r, token, profile)
	case a.Verifier == nil:
		return Identity{}, refuse("this server takes no JWT, as it was given no key to check one with")
	}
	return a.Verifier.Verify(token)
}

// guestToken returns the guest that a token is for. Ask, if set, decides first,
// and may return another identity.
func (a *Authenticator) guestToken(r *http.Request, token string, profile Profile) (Identity, error) {
	if a.Guests == nil {
		return Identity{}, refuse("guests are not allowed here; log in")
	}
	if a.Ask != nil {
		if id, err := a.callAsk(r, ""); err != nil || !id.needsUID() {
			return id, err
		}
	}
	id, err := a.Guests.Verify(token)
	if err != nil {
		return Identity{}, err
	}
	return withProfile(id, profile), nil
}

// ask returns the identity that Ask has for the request.
func (a *Authenticator) ask(r *http.Request, token string, profile Profile) (Identity, error) {
	id, err := a.callAsk(r, token)
	if err != nil || !id.needsUID() {
		return id, err
	}
	if a.Guests == nil {
		return Identity{}, refuse("guests are not allowed here; log in")
	}
	return a.Guests.New(profile), nil
}

// callAsk calls Ask. A nil pointer in its error must not pass for an error:
// revocations are looked up only if there is none.
func (a *Authenticator) callAsk(r *http.Request, token string) (Identity, error) {
	id, err := a.Ask(r, token)
	return id, wire.ErrorOrNil(err)
}

func (a *Authenticator) ticket(ctx context.Context, otp string) (Identity, error) {
	if a.Tickets == nil {
		return Identity{}, refuse("this server takes no tickets")
	}
	return a.Tickets.Redeem(ctx, otp)
}

func (a *Authenticator) guest(r *http.Request, profile Profile) (Identity, error) {
	if a.Ask != nil {
		return a.ask(r, "", profile)
	}
	if a.Guests == nil {
		return Identity{}, refuse("log in first: guests are not allowed here")
	}
	return a.Guests.New(profile), nil
}

// bearer returns the bearer token of the Authorization header; found is true
// even if it is empty, or the header is malformed: then the token is "", which
// is refused. Another scheme is a longer word.
func bearer(r *http.Request) (token string, found bool) {
	const scheme = "Bearer"
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	switch token = header[len(scheme):]; {
	case token == "" || token[0] == ' ':
		return strings.TrimSpace(token), true
	case isWordByte(token[0]):
		return "", false
	default: // such as a tab: RFC 9110 has a space there
		return "", true
	}
}

// isWordByte reports whether the name of an Authorization scheme may go on with
// c (RFC 9110, section 5.6.2; more than letters, digits, - and _ nobody uses).
func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
