package auth

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are the claims that SignToken puts into a token.
type Claims struct {
	UID       string
	Name      string    // "": Verify uses the uid
	AvatarID  string    // "": none
	Rooms     []string  // nil: every room; empty: none
	Speak     []string  // nil: wherever it may enter; empty: nowhere
	Audience  []string  // nil: the token has no aud
	Issuer    string    // "": the token has no iss
	NotBefore time.Time // zero: at once
	Expires   time.Time // zero: never
	KeyID     string    // kid of the key, if it is in a JWKS; else ""
}

// SignToken returns a token that a Verifier with the matching key accepts. key
// is an HS256 secret, as for ParseKey, or a private key in PEM (RSA, P-256 or
// Ed25519). It is an error if the uid or a time is invalid, or the token is
// longer than MaxToken.
func SignToken(key []byte, c Claims) (string, error) {
	if wrong := checkUID(c.UID); wrong != "" {
		return "", fmt.Errorf("auth: the user id %q cannot be used: %s", c.UID, wrong)
	}
	for _, at := range []time.Time{c.Expires, c.NotBefore} {
		if at.After(maxTime) {
			return "", fmt.Errorf("auth: the time %s of the token is after %s, the last that is accepted", at.UTC(), maxTime)
		}
	}
	method, private, err := signingKey(key)
	if err != nil {
		return "", err
	}
	claims := &tokenClaims{
		Subject: c.UID, Name: c.Name, Avatar: text(c.AvatarID), Rooms: c.Rooms, Speak: c.Speak, IssuedAt: &issuedAt{time.Now()},
	}
	if err := c.setAudience(claims); err != nil {
		return "", err
	}
	if !c.Expires.IsZero() {
		claims.ExpiresAt = jwt.NewNumericDate(c.Expires)
	}
	if !c.NotBefore.IsZero() {
		claims.NotBefore = jwt.NewNumericDate(c.NotBefore)
	}
	token := jwt.NewWithClaims(method, claims)
	if c.KeyID != "" {
		token.Header["kid"] = c.KeyID
	}
	signed, err := token.SignedString(private)
	if err != nil {
		return "", fmt.Errorf("auth: sign a token: %w", err)
	}
	if len(signed) > MaxToken {
		return "", fmt.Errorf("auth: the token would have %d bytes, at most %d are accepted; grant fewer rooms", len(signed), MaxToken)
	}
	return signed, nil
}

// setAudience sets the iss and aud claims.
func (c *Claims) setAudience(to *tokenClaims) (err error) {
	if c.Issuer != "" {
		if to.Issuer, err = json.Marshal(c.Issuer); err != nil {
			return fmt.Errorf("auth: write the iss claim: %w", err)
		}
	}
	if c.Audience != nil {
		if to.Audience, err = json.Marshal(c.Audience); err != nil {
			return fmt.Errorf("auth: write the aud claim: %w", err)
		}
	}
	return nil
}

func signingKey(data []byte) (jwt.SigningMethod, any, error) {
	trimmed := bytes.TrimSpace(data)
	switch {
	case bytes.HasPrefix(trimmed, []byte("{")):
		return nil, nil, errors.New("auth: signing needs an HS256 secret or a private key in PEM, not a JWKS")
	case !bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		secret := bytes.TrimRight(data, "\r\n")
		return jwt.SigningMethodHS256, secret, checkSecret(secret)
	}
	private, err := parsePrivate(trimmed)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("auth: a key of type %T cannot sign tokens; use RSA, P-256 or Ed25519", private)
	}
	method, err := methodFor(signer.Public())
	if err != nil {
		return nil, nil, err
	}
	return method, private, nil
}

func parsePrivate(data []byte) (private any, err error) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, errors.New("auth: the key file holds no private key in PEM")
		}
		data = rest
		switch block.Type {
		case "PRIVATE KEY":
			private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			private, err = x509.ParseECPrivateKey(block.Bytes)
		case "EC PARAMETERS": // openssl ecparam writes them before the key
			continue
		default:
			return nil, fmt.Errorf("auth: the key file holds a PEM block %q; signing needs a PRIVATE KEY without a passphrase", block.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("auth: read the PEM block %q: %w", block.Type, err)
		}
		return private, nil
	}
}
