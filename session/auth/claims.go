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
	// Leeway is how far the clocks of the token's issuer and of this server may
	// differ.
	Leeway = 10 * time.Second
	// MaxToken is the most bytes of a token; a longer one is refused before it
	// is parsed.
	MaxToken = 8192
)

// maxTime is the latest time that can be encoded as JSON. A time that an issuer
// wrote in milliseconds is far later.
var maxTime = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// tokenClaims are the claims of a token that are read. Others are ignored,
// whatever their type; so are aud and iss unless a Verifier requires them.
type tokenClaims struct {
	Subject   string           `json:"sub"`
	Name      string           `json:"name,omitempty"`
	Avatar    text             `json:"avatar,omitempty"`
	Rooms     []string         `json:"rooms,omitzero"` // absent or null: every room; []: none
	Speak     []string         `json:"speak,omitzero"` // likewise, where it may speak
	ExpiresAt *jwt.NumericDate `json:"exp,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	IssuedAt  *issuedAt        `json:"iat,omitempty"`
	Audience  json.RawMessage  `json:"aud,omitempty"`
	Issuer    json.RawMessage  `json:"iss,omitempty"`
}

// claimNames are the names in tokenClaims.
var claimNames = []string{"sub", "name", "avatar", "rooms", "speak", "exp", "nbf", "iat", "aud", "iss"}

// maxSeconds is the largest absolute value of exp, nbf and iat: up to it a
// float64 represents every whole second, and time.Time does not overflow.
const maxSeconds = 1 << 53

// UnmarshalJSON matches the names of claims case-sensitively (RFC 7519, section
// 4.1): encoding/json would take "SUB", which an issuer may let users set, for
// "sub". A claim that is there twice is an error, as two parsers could take
// different ones.
func (c *tokenClaims) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) { // encoding/json replaces every invalid byte by the same character
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

// knownClaims returns the claims in data, which is JSON, whose names are in
// claimNames.
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

// checkSeconds refuses a number that cannot be a time. A value that is no
// number is left to the caller's decoder.
func checkSeconds(name string, value json.RawMessage) error {
	if name != "iat" && len(value) > 0 && value[0] == '"' { // package jwt would take a quoted number; RFC 7519, section 2, has none
		return refuse("the token's %s claim is a text: it must be a number, in seconds since 1970", name)
	}
	var number json.Number
	if json.Unmarshal(value, &number) != nil || number == "" {
		return nil
	}
	seconds, err := number.Float64()
	switch {
	case err != nil || math.Abs(seconds) > maxSeconds:
		return refuse("the token's %s claim is no time: it must be in seconds since 1970", name)
	case name != "iat" && seconds > float64(maxTime.Unix()): // an implausible iat is ignored instead
		return refuse("the token's %s claim is after the year 9999: it must be in seconds since 1970, not in milliseconds", name)
	}
	return nil
}

// These methods implement jwt.Claims; its validator does not check what is nil.
func (c *tokenClaims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *tokenClaims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *tokenClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *tokenClaims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }
func (c *tokenClaims) GetIssuer() (string, error)                   { return "", nil }
func (c *tokenClaims) GetSubject() (string, error)                  { return c.Subject, nil }

// identity returns the identity in the claims; the caller has checked the
// subject.
func (c *tokenClaims) identity() Identity {
	id := Identity{UID: c.Subject, Username: CleanName(c.Name), AvatarID: CleanName(string(c.Avatar))}
	if id.Username == "" {
		id.Username = CleanName(c.Subject) // not empty: checkUID refuses a uid that is invisible
	}
	if c.ExpiresAt != nil {
		id.Expires = c.ExpiresAt.Time
	}
	if c.IssuedAt != nil && time.Until(c.IssuedAt.Time) <= Leeway { // an iat in the future is ignored
		id.IssuedAt = c.IssuedAt.Time
	}
	id.Rooms, id.Speak = normalize(c.Rooms), normalize(c.Speak)
	return id
}

// normalize returns the patterns in NFC, as names of rooms are; nil stays nil.
func normalize(patterns []string) []string {
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
	var number json.Number // accepts a quoted number too; the last line handles those
	if data[0] != '"' && json.Unmarshal(data, &number) == nil {
		*t = text(number)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// issuedAt is the iat claim. It matters only for revocation; a value that is no
// time is ignored. It is written with milliseconds, to tell a token issued just
// after a revocation from one issued just before.
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

// parseToken verifies the form, signature and times of a token, with the keys
// that choose returns, and returns its claims. Its errors are *Error.
func parseToken(token string, choose jwt.Keyfunc) (*tokenClaims, error) {
	if len(token) > MaxToken {
		return nil, errLongToken()
	}
	if strings.ContainsAny(token, "\r\n") { // Go's base64 ignores these, and a token must have one encoding only
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

// isJWT reports whether a token has the form of a JWT; nothing is verified.
func isJWT(token string) bool {
	_, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{}) // the Verifier checks its claims
	return err == nil
}

// tokenError translates an error of the jwt package. The error itself is not
// wrapped: it may quote the token.
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

// describe names an algorithm in an error. method is one that the jwt package
// knows, so no text of the token is shown.
func describe(method jwt.SigningMethod) string {
	switch alg := method.Alg(); alg {
	case "none":
		return "not signed"
	default:
		return fmt.Sprintf("signed with %s", alg)
	}
}
