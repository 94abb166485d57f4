package auth

import (
	"encoding/json"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// keySource provides the keys of a Verifier: a Key, or a KeySet that is
// fetched.
type keySource interface {
	// choose is a jwt.Keyfunc. It may block. Its errors are *Error.
	choose(token *jwt.Token) (any, error)
}

// Verifier verifies the tokens of users. Its exported fields are set before the
// first use; its methods may be called from any goroutine.
type Verifier struct {
	Audience      []string // aud must contain one of these; empty: aud is not checked
	Issuer        string   // iss must be this; "": iss is not checked
	RequireExpiry bool     // a token without exp is refused

	keys keySource // fixed
}

// NewVerifier returns a Verifier for tokens signed with key, or with one of its
// keys.
func NewVerifier(key Key) *Verifier { return &Verifier{keys: key} }

// NewIssuerVerifier returns a Verifier for tokens signed with one of the keys
// of an issuer, which it fetches.
func NewIssuerVerifier(keys *KeySet) *Verifier { return &Verifier{keys: keys} }

// Verify returns the identity in token. The claims it reads: sub (required: the
// uid, up to 63 characters without white space, not starting with "@" or
// "guest-"), name (default: the uid), avatar (text or number), rooms and speak
// (see Identity.MayEnter and MaySpeak; absent or null: every room), exp and nbf
// (checked with Leeway), iat (Identity.IssuedAt), and aud and iss if the fields
// are set. Its errors are *Error: of ErrBadCredential, or of ErrUnavailable if
// the keys could not be fetched. With a KeySet it may block for up to 2 s.
func (v *Verifier) Verify(token string) (Identity, error) {
	claims, err := parseToken(token, v.keys.choose)
	if err != nil {
		return Identity{}, err
	}
	if refused := v.check(claims); refused != nil {
		return Identity{}, refused.of(claims.Subject)
	}
	if wrong := checkUID(claims.Subject); wrong != "" {
		return Identity{}, refuse("the token's sub claim, the user's id, cannot be used: %s", wrong)
	}
	return claims.identity(), nil
}

// check checks the claims that are optional: exp, iss and aud.
func (v *Verifier) check(c *tokenClaims) *Error {
	if v.RequireExpiry && c.ExpiresAt == nil {
		return refuse("the token has no exp claim and would be good for ever; its issuer must add one")
	}
	if v.Issuer != "" {
		var issuer string
		switch err := json.Unmarshal(c.Issuer, &issuer); {
		case len(c.Issuer) == 0:
			return refuse("the token has no iss claim; this server takes tokens of %q only", v.Issuer)
		case err != nil || issuer != v.Issuer:
			return refuse("the token's iss claim is not the issuer that this server trusts, %q", v.Issuer)
		}
	}
	if len(v.Audience) > 0 {
		var audience jwt.ClaimStrings // a string, or a list of strings
		switch err := json.Unmarshal(c.Audience, &audience); {
		case len(c.Audience) == 0:
			return refuse("the token has no aud claim; this server takes tokens for %q only", v.Audience)
		case err != nil || !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(v.Audience, a) }):
			return refuse("the token's aud claim names another audience than %q, which this server is", v.Audience)
		}
	}
	return nil
}
