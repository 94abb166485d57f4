package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tickets issues and redeems one-time tickets: short-lived stand-ins for a credential that may appear in a URL. A ticket issued by
// one node is redeemed by any. Any goroutine may call it. store.Tickets is one.
type Tickets interface {
	// Issue returns a new ticket for id and how long it is good for. Its error is an *Error of ErrUnavailable.
	Issue(ctx context.Context, id Identity) (otp string, expiresIn time.Duration, err error)
	// Redeem returns who otp was issued to, and uses it up: of any number of concurrent calls, on any nodes, one succeeds. An
	// unknown, used or expired ticket is an *Error of ErrBadCredential; after ErrUnavailable it may or may not be used up.
	Redeem(ctx context.Context, otp string) (Identity, error)
}

// Ended is the users whose sessions were ended. Any goroutine may call it, and it answers at once. store.Ended is one.
type Ended interface {
	// Refuses reports whether the credential behind id was issued before its user's sessions were ended, or does not say when.
	Refuses(id Identity) bool
}

// Authenticator identifies requests by the credentials that are switched on. Its fields are set once, before use; then any
// goroutine may use it.
type Authenticator struct {
	Verifier *Verifier // nil: no user's JWT is accepted
	Tickets  Tickets   // nil: no tickets
	Guests   *Guests   // nil: no guests
	Ended    Ended     // nil: no user's sessions are ended for longer than the moment

	// Ask, if not nil, says who a request is from where this server cannot tell: it carries nothing of ours, but perhaps a cookie, or
	// a token that is no JWT or that there is no Verifier for; token is "" when it carries none. It also says whether somebody with a
	// guest's token is let in, whose token it is not shown. A Guest without a uid gets one, or keeps that of the token; for them Guests
	// must be set. It is called on the request's goroutine. Its errors are *Error or *wire.Error, and are passed on.
	Ask func(r *http.Request, token string) (Identity, error)

	stats Stats
}

// Stats are the counters; they may be read at any time.
func (a *Authenticator) Stats() *Stats { return &a.stats }

// Refuses reports whether the sessions of the user were ended after the credential behind id was issued. A nil Authenticator
// refuses nobody.
func (a *Authenticator) Refuses(id Identity) bool {
	return a != nil && a.Ended != nil && a.Ended.Refuses(id)
}

// Identify returns who the request is from, by the first of these that it carries: "Authorization: Bearer <token>", ?otp=<ticket>,
// ?token=<JWT>; and if none, a new guest named by ?username= and ?avatar_id=, where guests are allowed. The token of the header is a
// user's JWT or a guest's, which the same two parameters may rename. A credential that is present and bad is an error, never a guest. Other
// schemes of Authorization are somebody else's, such as a proxy's, and are passed over. A ticket is used up by this call. With Ask,
// that is asked instead of letting in a guest, and about what this server cannot check.
//
// Its errors are *Error, and those of Ask. It waits for Tickets only, and only for a ticket.
func (a *Authenticator) Identify(r *http.Request) (Identity, error) {
	return a.admit(a.identify(r))
}

// admit refuses whose sessions were ended.
func (a *Authenticator) admit(id Identity, err error) (Identity, error) {
	if err == nil && a.Refuses(id) {
		a.stats.RefusedEnded.Add(1)
		return Identity{}, refuse("your sessions were ended by an operator; log in again").of(id.UID)
	}
	return id, err
}

func (a *Authenticator) identify(r *http.Request) (Identity, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Reading on would pass over a credential that is in the damaged part.
		return Identity{}, refuse("the query of the URL is malformed; escape what it contains")
	}
	asks := Profile{Username: query.Get("username"), AvatarID: query.Get("avatar_id")}
	if token, found := bearer(r); found {
		return a.token(r, token, asks)
	}
	if query.Has("otp") {
		return a.ticket(r.Context(), query.Get("otp"))
	}
	if query.Has("token") {
		if a.Guests != nil && isGuestToken(query.Get("token")) { // it is good for weeks, and URLs are in logs
			a.stats.RefusedInAddress.Add(1)
			return Identity{}, refuse("a guest's token does not belong in a URL; get a ticket for it with POST /login and Authorization: Bearer, and connect with ?otp=")
		}
		return a.token(r, query.Get("token"), asks)
	}
	return a.guest(r, asks)
}

// LoginResult answers POST /login.
type LoginResult struct {
	OTP       string   `json:"otp"`
	ExpiresIn int      `json:"expires_in"`      // seconds
	Token     string   `json:"token,omitempty"` // a guest's only
	Identity  Identity `json:"-"`               // whom it was issued to
}

// Login issues a ticket for the bearer token of the request or, where it has none and guests are allowed, for a guest of that
// name. A guest also gets a token, from which a later Login or Identify makes the same uid; a guest that logs in with such a token
// gets a fresh one, and the new name if there is one. Its errors are *Error, and those of Ask.
func (a *Authenticator) Login(r *http.Request, asks Profile) (LoginResult, error) {
	if a.Tickets == nil {
		return LoginResult{}, Unavailable("issue a ticket", errors.New("tickets are switched off"))
	}
	var id Identity
	var err error
	if token, found := bearer(r); found {
		id, err = a.admit(a.token(r, token, asks))
	} else {
		id, err = a.admit(a.guest(r, asks))
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

func (a *Authenticator) token(r *http.Request, token string, asks Profile) (Identity, error) {
	switch {
	case token == "":
		return Identity{}, refuse("the token is empty")
	case len(token) > MaxToken:
		return Identity{}, errLongToken()
	case isGuestToken(token):
		return a.guestToken(r, token, asks)
	case a.Ask != nil && (a.Verifier == nil || !isJWT(token)):
		return a.ask(r, token, asks)
	case a.Verifier == nil:
		return Identity{}, refuse("this server takes no JWT, as it was given no key to check one with")
	}
	return a.Verifier.Verify(token)
}

// guestToken is who a guest's token is for, if Ask, where there is one, lets the person in as a guest.
func (a *Authenticator) guestToken(r *http.Request, token string, asks Profile) (Identity, error) {
	if a.Guests == nil {
		return Identity{}, refuse("guests are not allowed here; log in")
	}
	if a.Ask != nil {
		if id, err := a.Ask(r, ""); err != nil || !id.unnamed() {
			return id, err
		}
	}
	id, err := a.Guests.Verify(token)
	if err != nil {
		return Identity{}, err
	}
	return renamed(id, asks), nil
}

// ask is who Ask says that the request is from.
func (a *Authenticator) ask(r *http.Request, token string, asks Profile) (Identity, error) {
	id, err := a.Ask(r, token)
	if err != nil || !id.unnamed() {
		return id, err
	}
	if a.Guests == nil {
		return Identity{}, refuse("guests are not allowed here; log in")
	}
	return a.Guests.New(asks), nil
}

func (a *Authenticator) ticket(ctx context.Context, otp string) (Identity, error) {
	if a.Tickets == nil {
		return Identity{}, refuse("this server takes no tickets")
	}
	return a.Tickets.Redeem(ctx, otp)
}

func (a *Authenticator) guest(r *http.Request, asks Profile) (Identity, error) {
	if a.Ask != nil {
		return a.ask(r, "", asks)
	}
	if a.Guests == nil {
		return Identity{}, refuse("log in first: guests are not allowed here")
	}
	return a.Guests.New(asks), nil
}

// bearer is the token of an Authorization header; found also when it is empty.
func bearer(r *http.Request) (token string, found bool) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}
