package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// jwk is a key of a JWKS document (RFC 7517).
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
	K   string `json:"k"`
	D   string `json:"d"` // private
}

// parseJWKS parses a key set, or a single key. Keys for other purposes are
// skipped, as issuers put several kinds into one document. It is an error if
// none is left, or if a key for signatures is invalid.
func parseJWKS(data []byte) (Key, error) {
	list, err := readJWKS(data)
	if err != nil {
		return Key{}, err
	}
	key := Key{set: true}
	for i, j := range list {
		one, err := j.verifyKey()
		if err != nil {
			return Key{}, fmt.Errorf("auth: key %d of the JWKS: %s", i+1, strings.TrimPrefix(err.Error(), "auth: "))
		}
		if one != nil {
			key.keys = append(key.keys, *one)
		}
	}
	if len(key.keys) == 0 {
		return Key{}, errors.New("auth: the JWKS has no key for HS256, RS256, ES256 or EdDSA signatures")
	}
	return key, nil
}

// parseIssuerKeys parses a key set that was fetched. An invalid key is skipped,
// as the operator cannot correct it (RFC 7517, section 5); so is a symmetric
// one, as a published secret is none.
func parseIssuerKeys(data []byte) (Key, error) {
	list, err := readJWKS(data)
	if err != nil {
		return Key{}, err
	}
	if len(list) > MaxKeys {
		return Key{}, fmt.Errorf("auth: the JWKS has %d keys, at most %d are taken", len(list), MaxKeys)
	}
	key := Key{set: true}
	for _, j := range list {
		if one, err := j.verifyKey(); err == nil && one != nil && j.Kty != "oct" {
			key.keys = append(key.keys, *one)
		}
	}
	if len(key.keys) == 0 {
		return Key{}, errors.New("auth: the JWKS has no public key for RS256, ES256 or EdDSA signatures")
	}
	return key, nil
}

// readJWKS returns the keys of a JWKS document, or the single key that it is.
func readJWKS(data []byte) ([]jwk, error) {
	var doc struct {
		jwk
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("auth: the key begins like a JWKS document but is not valid JSON: %w", err)
	}
	if doc.Keys == nil && doc.Kty != "" {
		doc.Keys = []jwk{doc.jwk}
	}
	return doc.Keys, nil
}

// verifyKey returns the key with its algorithm; nil if it is not for signatures
// that are supported.
func (j *jwk) verifyKey() (*verifyKey, error) {
	public, err := j.public()
	if err != nil || public == nil {
		return nil, err
	}
	var method jwt.SigningMethod = jwt.SigningMethodHS256
	if _, secret := public.([]byte); !secret {
		if method, err = methodFor(public); err != nil {
			return nil, err
		}
	}
	if j.Alg != "" && j.Alg != method.Alg() {
		return nil, nil
	}
	return &verifyKey{kid: j.Kid, method: method, public: public}, nil
}

// public returns the key as the jwt package takes it; nil if it is not for
// signatures that are supported.
func (j *jwk) public() (any, error) {
	if j.Use != "" && j.Use != "sig" {
		return nil, nil
	}
	if j.D != "" && j.Kty != "oct" {
		return nil, errors.New("it is a private key, which only the issuer of tokens needs; give the public one")
	}
	switch {
	case j.Kty == "RSA":
		return j.rsa()
	case j.Kty == "EC" && j.Crv == "P-256":
		return j.p256()
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := decode("x", j.X)
		if err == nil && len(x) != ed25519.PublicKeySize {
			err = fmt.Errorf("x has %d bytes, want %d", len(x), ed25519.PublicKeySize)
		}
		return ed25519.PublicKey(x), err
	case j.Kty == "oct":
		secret, err := decode("k", j.K)
		if err != nil {
			return nil, err
		}
		return secret, checkSecret(secret)
	}
	return nil, nil
}

func (j *jwk) rsa() (any, error) {
	n, err := decode("n", j.N)
	if err != nil {
		return nil, err
	}
	e, err := decode("e", j.E)
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return nil, errors.New("e is not a public exponent")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

func (j *jwk) p256() (any, error) {
	const size = 32
	point := make([]byte, 1, 1+2*size)
	point[0] = 4 // uncompressed
	for _, c := range []struct{ name, text string }{{"x", j.X}, {"y", j.Y}} {
		b, err := decode(c.name, c.text)
		if err != nil {
			return nil, err
		}
		if len(b) > size {
			return nil, fmt.Errorf("%s has %d bytes, want %d", c.name, len(b), size)
		}
		point = append(point, make([]byte, size-len(b))...) // some issuers omit leading zeros
		point = append(point, b...)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func decode(field, text string) ([]byte, error) {
	if text == "" {
		return nil, fmt.Errorf("%s is missing", field)
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("%s is not base64url", field)
	}
	return b, nil
}
