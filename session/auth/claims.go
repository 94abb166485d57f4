package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/text/unicode/norm"
)

const (
	// Leeway is how far the clocks of the token's issuer and of this server may differ.
	Leeway = 10 * time.Second
	// MaxToken is the length of a token in bytes; a longer one is refused before it is looked at.
	MaxToken = 8192
)

// maxTime is the last time that has a JSON form. Issuers that count in milliseconds are far beyond it.
var maxTime = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// tokenClaims is what is read of a token's claims. Others are ignored, whatever they hold; so are aud and iss unless a Verifier
// asks for them.
type tokenClaims struct {
	Subject   string           `json:"sub"`
	Name      string           `json:"name,omitempty"`
	Avatar    text             `json:"avatar,omitempty"`
	Rooms     []string         `json:"rooms,omitzero"` // absent or null: every room; []: none
	Speak     []string         `json:"speak,omitzero"` // the same of where it may speak
	ExpiresAt *jwt.NumericDate `json:"exp,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	IssuedAt  *issuedAt        `json:"iat,omitempty"`
	Audience  json.RawMessage  `json:"aud,omitempty"`
	Issuer    json.RawMessage  `json:"iss,omitempty"`
}

// claimNames are the names in tokenClaims.
var claimNames = []string{"sub", "name", "avatar", "rooms", "speak", "exp", "nbf", "iat", "aud", "iss"}

// maxSeconds is the largest number that exp, nbf and iat may be, before or after 1970: up to it each whole second is a number of
// its own, and no time overflows. Beyond it nobody means a time.
const maxSeconds = 1 << 53

// UnmarshalJSON reads claims by exactly their names, as RFC 7519 has them in section 4.1: to encoding/json "SUB", which an issuer may
// let users choose, would be "sub" too. Each of them is there once at most, so that no two readers see different ones.
func (c *tokenClaims) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) { // encoding/json would make the same character of all bytes that are none
		return refuse("the token's claims are not UTF-8")
	}
	known, err := knownClaims(data)
	if err != nil {
		return err
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if err := checkSeconds(name, known[name]); err != nil {
			return err
		}
	}
	exact, err := json.Marshal(known)
	if err != nil {
		return err
	}
	type plain tokenClaims // without this method
	return json.Unmarshal(exact, (*plain)(c))
}

// knownClaims are those of claimNames that data holds; data is JSON.
func knownClaims(data []byte) (map[string]json.RawMessage, error) {
	known := make(map[string]json.RawMessage, len(claimNames))
	read := json.NewDecoder(bytes.NewReader(data))
	if open, err := read.Token(); err != nil || open != json.Delim('{') {
		return nil, refuse("the token's claims are no JSON object")
	}
	for read.More() {
		name, err := read.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := read.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := name.(string) // a name is always one
		if !slices.Contains(claimNames, text) {
			continue
		}
		if _, twice := known[text]; twice {
			return nil, refuse("the token has the claim %s twice; its issuer must write it once", text)
		}
		known[text] = value
	}
	return known, nil
}

// checkSeconds refuses a number that can be no time. What is no number is for others to judge.
func checkSeconds(name string, value json.RawMessage) error {
	var number json.Number // a quoted one, too, which exp and nbf may be
	if json.Unmarshal(value, &number) != nil || number == "" {
		return nil
	}
	seconds, err := number.Float64()
	switch {
	case err != nil || math.Abs(seconds) > maxSeconds:
		return refuse("the token's %s claim is no time: it must be in seconds since 1970", name)
	case name != "iat" && seconds > float64(maxTime.Unix()): // iat counts only where it is plausible
		return refuse("the token's %s claim is after the year 9999: it must be in seconds since 1970, not in milliseconds", name)
	}
	return nil
}

// The methods of jwt.Claims that its validator reads; what is nil is not checked.
func (c *tokenClaims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *tokenClaims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *tokenClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *tokenClaims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }
func (c *tokenClaims) GetIssuer() (string, error)                   { return "", nil }
func (c *tokenClaims) GetSubject() (string, error)                  { return c.Subject, nil }

// identity translates the claims; the caller has checked the subject.
func (c *tokenClaims) identity() Identity {
	id := Identity{UID: c.Subject, Username: CleanName(c.Name), AvatarID: CleanName(string(c.Avatar))}
	if id.Username == "" {
		id.Username = CleanName(c.Subject) // of a uid something can be seen, or it is none
	}
	if c.ExpiresAt != nil {
		id.Expires = c.ExpiresAt.Time
	}
	if c.IssuedAt != nil && time.Until(c.IssuedAt.Time) <= Leeway { // what was made in the future does not say when it was made
		id.IssuedAt = c.IssuedAt.Time
	}
	id.Rooms, id.Speak = composed(c.Rooms), composed(c.Speak)
	return id
}

// composed writes patterns as the names of rooms are; nil stays nil.
func composed(patterns []string) []string {
	if patterns == nil {
		return nil
	}
	list := make([]string, len(patterns))
	for i, pattern := range patterns {
		list[i] = norm.NFC.String(pattern)
	}
	return list
}

// text is a JSON string or number, as text.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	var number json.Number // a quoted number, too, which the next line would read the same
	if data[0] != '"' && json.Unmarshal(data, &number) == nil {
		*t = text(number)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// issuedAt is when a token was made. It counts only where a user's sessions were ended: what is no time there is none. It is
// written to the millisecond, so that a token made right after that end is told from one made right before it.
type issuedAt struct{ time.Time }

func (i *issuedAt) UnmarshalJSON(data []byte) error {
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err == nil && seconds > 0 && seconds < float64(maxTime.Unix()) {
		whole, part := math.Modf(seconds)
		i.Time = time.Unix(int64(whole), int64(part*1e9)).Round(time.Millisecond)
	}
	return nil
}

func (i issuedAt) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(i.UnixMilli())/1000, 'f', -1, 64), nil
}

// parseToken checks form, signature and times of a token against the keys that choose returns, and returns its claims. Its errors
// are *Error.
func parseToken(token string, choose jwt.Keyfunc) (*tokenClaims, error) {
	if len(token) > MaxToken {
		return nil, errLongToken()
	}
	if strings.ContainsAny(token, "\r\n") { // which Go's base64 passes over: a token has one spelling
		return nil, tokenError(jwt.ErrTokenMalformed)
	}
	claims := &tokenClaims{}
	parser := jwt.NewParser(jwt.WithLeeway(Leeway), jwt.WithStrictDecoding())
	if _, err := parser.ParseWithClaims(token, claims, choose); err != nil {
		return nil, tokenError(err).of(claims.Subject)
	}
	return claims, nil
}

func errLongToken() *Error { return refuse("the token is longer than %d bytes", MaxToken) }

// isJWT reports whether a token has the form of a JWT, whoever made it.
func isJWT(token string) bool {
	_, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{}) // whatever its claims are: they are for a Verifier to refuse
	return err == nil
}

// tokenError finds the sentence for an error of the jwt package. The error itself is not kept: it may quote the token.
func tokenError(err error) *Error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse("the token has expired; log in again")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return refuse("the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse("the token was not signed with this server's key")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse("the token names no signing algorithm that this server knows")
	}
	return refuse("the token is not a well-formed JWT with the claims of this server")
}

// describe names an algorithm in an error; it comes from a token, so only known ones are shown.
func describe(method jwt.SigningMethod) string {
	switch alg := method.Alg(); alg {
	case "none":
		return "not signed"
	default:
		return fmt.Sprintf("signed with %s", alg)
	}
}
