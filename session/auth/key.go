package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinSecret is the fewest bytes of an HS256 secret: enough against guessing
	// if it is random. RFC 7518 requires 32; use as many outside development.
	MinSecret = 16
	// minRSABits is the fewest bits of an RSA key.
	minRSABits = 2048
	// maxRSABits is the most bits of an RSA key: the larger it is, the longer a
	// verification takes.
	maxRSABits = 8192
)

// Key is one or more keys to verify tokens with, each for one algorithm. It is
// immutable.
type Key struct {
	keys []verifyKey
	set  bool // from a JWKS: the kid of a token selects a key
}

type verifyKey struct {
	kid    string // "" outside a JWKS
	method jwt.SigningMethod
	public any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, as method takes it
}

// ParseKey parses a key, whose format it detects: PEM public keys or
// certificates (if there are several, all of them count, for key rotation), a
// JWKS or a single JWK in JSON, or else an HS256 secret, which is used as it
// is, without a newline at its end. An RSA key is for RS256, P-256 for ES256,
// Ed25519 for EdDSA. A private key is an error: verifying needs none.
func ParseKey(data []byte) (Key, error) {
	trimmed := bytes.TrimSpace(data)
	switch {
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		return parsePEM(trimmed)
	case bytes.HasPrefix(trimmed, []byte("{")):
		return parseJWKS(trimmed)
	}
	secret := bytes.TrimRight(data, "\r\n")
	if err := checkSecret(secret); err != nil {
		return Key{}, err
	}
	return secretKey(secret), nil
}

func secretKey(secret []byte) Key {
	return Key{keys: []verifyKey{{method: jwt.SigningMethodHS256, public: bytes.Clone(secret)}}}
}

func checkSecret(secret []byte) error {
	if len(secret) < MinSecret {
		return fmt.Errorf("auth: the HS256 secret has %d bytes, at least %d are needed; make one with: openssl rand -base64 32",
			len(secret), MinSecret)
	}
	return nil
}

func parsePEM(data []byte) (Key, error) {
	var key Key
	for len(data) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			return Key{}, errors.New("auth: the PEM key file is damaged")
		}
		data = bytes.TrimSpace(rest)
		public, err := parsePublic(block)
		if err != nil {
			return Key{}, err
		}
		method, err := methodFor(public)
		if err != nil {
			return Key{}, err
		}
		key.keys = append(key.keys, verifyKey{method: method, public: public})
	}
	return key, nil
}

func parsePublic(block *pem.Block) (public any, err error) {
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("auth: the key file holds a private key, which only the issuer of tokens needs; " +
				"give the public one: openssl pkey -in private.pem -pubout")
		}
		return nil, fmt.Errorf("auth: the key file holds a PEM block %q; expected PUBLIC KEY", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: read the PEM block %q: %w", block.Type, err)
	}
	return public, nil
}

// methodFor returns the algorithm that a public key is for.
func methodFor(public crypto.PublicKey) (jwt.SigningMethod, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("auth: the RSA key has %d bits, at least %d are needed", k.N.BitLen(), minRSABits)
		}
		if k.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("auth: the RSA key has %d bits, at most %d are taken", k.N.BitLen(), maxRSABits)
		}
		return jwt.SigningMethodRS256, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("auth: the EC key is on the curve %s; ES256 needs P-256", k.Curve.Params().Name)
		}
		return jwt.SigningMethodES256, nil
	case ed25519.PublicKey:
		return jwt.SigningMethodEdDSA, nil
	}
	return nil, fmt.Errorf("auth: a key of type %T is not supported; use RSA, P-256 or Ed25519", public)
}

// has reports whether the key that a token names by its kid is in the set; a
// token without a kid may be signed with any.
func (k Key) has(token *jwt.Token) bool {
	kid, named := token.Header["kid"].(string)
	return !named || slices.ContainsFunc(k.keys, func(key verifyKey) bool { return key.kid == kid })
}

// choose is a jwt.Keyfunc. It returns the keys that may have signed the token.
// The algorithm in the token's header only selects among keys; it never
// determines how a key is used.
func (k Key) choose(token *jwt.Token) (any, error) {
	if _, found := token.Header["crit"]; found {
		return nil, refuse("the token asks for extensions that this server does not have")
	}
	kid, named := token.Header["kid"].(string)
	var known bool // whether there is a key with this kid, for any algorithm
	var chosen jwt.VerificationKeySet
	for _, key := range k.keys {
		if k.set && named && key.kid != kid {
			continue
		}
		known = true
		if key.method == token.Method {
			chosen.Keys = append(chosen.Keys, key.public)
		}
	}
	switch {
	case !known:
		return nil, refuse("the token was signed with a key that is not in this server's key set")
	case len(chosen.Keys) == 0:
		return nil, refuse("the token is %s, which is not what this server's key is for", describe(token.Method))
	}
	return chosen, nil
}
