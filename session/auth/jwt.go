package auth

// Verifier checks the tokens of users. Any goroutine may use it.
type Verifier struct {
	key Key // fixed
}

// NewVerifier returns a Verifier for tokens signed with (one of) key.
func NewVerifier(key Key) *Verifier { return &Verifier{key: key} }

// Verify returns who token is for. The claims it reads: sub (required: the uid, up to 63 characters without white space, not
// starting with "@" or "guest-"), name (default: the uid), avatar (text or number), rooms (see Identity.MayEnter; absent or null:
// every room), exp and nbf (both optional, honoured within Leeway). Its errors are *Error of ErrBadCredential.
func (v *Verifier) Verify(token string) (Identity, error) {
	claims, err := parseToken(token, v.key)
	if err != nil {
		return Identity{}, err
	}
	if wrong := checkUID(claims.Subject); wrong != "" {
		return Identity{}, refuse("the token's sub claim, the user's id, cannot be used: %s", wrong)
	}
	return claims.identity(), nil
}
