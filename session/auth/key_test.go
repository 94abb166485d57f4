package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestParseKeyRefuses(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	weakPair := newPair(t, weak, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p384Pair := newPair(t, p384, err)
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "openssl rand"},
		{"short secret", []byte("fifteen bytes..\n"), "has 15 bytes"},
		{"private key", edPair(t).private, "-pubout"},
		{"weak RSA", weakPair.public, "1024 bits"},
		{"other curve", p384Pair.public, "P-384"},
		{"damaged PEM", []byte("-----BEGIN PUBLIC KEY-----\nx"), "damaged"},
		{"damaged second PEM", append(edPair(t).public, "-----BEGIN"...), "damaged"},
		{"PEM of junk", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "PUBLIC KEY"},
		{"other PEM", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL"}), "X509 CRL"},
		{"damaged JSON", []byte(`{"keys":[`), "not valid JSON"},
		{"no keys", []byte(`{"keys":[]}`), "no key for"},
		{"nothing for us", []byte(`{"keys":[{"kty":"RSA","use":"enc"},{"kty":"EC","crv":"P-521"},{"kty":"oct","k":"` + b64(string(secret)) + `","alg":"HS512"}]}`), "no key for"},
		{"short oct", []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`), "openssl rand"},
		{"private JWK", []byte(`{"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"AAAA"}`), "private key"},
		{"missing field", []byte(`{"kty":"RSA","n":"AAAA"}`), "e is missing"},
		{"exponent", []byte(`{"kty":"RSA","n":"AAAA","e":"Ag"}`), "exponent"},
		{"weak RSA JWK", []byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`), "bits"},
		{"base64", []byte(`{"kty":"OKP","crv":"Ed25519","x":"*"}`), "base64url"},
		{"length", []byte(`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`), "want 32"},
		{"not on the curve", []byte(`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`), "key 1"},
		{"coordinate", []byte(`{"kty":"EC","crv":"P-256","x":"` + b64(strings.Repeat("x", 33)) + `","y":"AAAA"}`), "want 32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseKey(tc.data); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestParseKeyForms(t *testing.T) {
	rs, es := rsaPair(t), ecPair(t)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rs.signer.(*rsa.PrivateKey).PublicKey)})
	pkcs1Private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rs.signer.(*rsa.PrivateKey))})
	sec1, err := x509.MarshalECPrivateKey(es.signer.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	sec1Private := append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, es.signer.Public(), es.signer)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for _, tc := range []struct {
		name          string
		sign, confirm []byte
	}{
		{"RSA of old", pkcs1Private, pkcs1},
		{"EC of old", sec1Private, cert},
		{"secret of 16", []byte("sixteen bytes ok"), []byte("sixteen bytes ok\r\n")},
	} {
		if _, err := NewVerifier(mustKey(t, tc.confirm)).Verify(mustSign(t, tc.sign, Claims{UID: "u"})); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// jwks writes a key set as an issuer would; each key is a map.
func jwks(t *testing.T, keys ...map[string]string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestJWKS(t *testing.T) {
	rs, es, ed, stranger := rsaPair(t), ecPair(t), edPair(t), edPair(t)
	n := rs.signer.(*rsa.PrivateKey).N
	point, err := es.signer.(*ecdsa.PrivateKey).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := bytes.TrimLeft(point[1:33], "\x00"), point[33:]
	edJWK := map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": rawURL(ed.signer.Public().(ed25519.PublicKey))}
	set := mustKey(t, jwks(t,
		map[string]string{"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": rawURL(n.Bytes()), "e": "AQAB"},
		map[string]string{"kty": "RSA", "kid": "enc", "use": "enc"},
		map[string]string{"kty": "EC", "kid": "p", "crv": "P-256", "x": rawURL(x), "y": rawURL(y)},
		edJWK,
		map[string]string{"kty": "oct", "kid": "h", "k": rawURL(secret)},
	))
	for _, tc := range []struct {
		name string
		key  []byte
		kid  string
		bad  string
	}{
		{"RS256", rs.private, "r", ""},
		{"ES256", es.private, "p", ""},
		{"EdDSA", ed.private, "e", ""},
		{"HS256", secret, "h", ""},
		{"no kid", es.private, "", ""},
		{"unknown kid", es.private, "q", "not in this server's key set"},
		{"kid of another algorithm", es.private, "r", "not what this server's key is for"},
		{"stranger under a known kid", stranger.private, "e", "not signed with"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := mustSign(t, tc.key, Claims{UID: "u", KeyID: tc.kid})
			_, err := NewVerifier(set).Verify(token)
			if tc.bad != "" {
				wantRefused(t, err, tc.bad, token)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	confused := forge(t, jwt.SigningMethodHS256, rs.public, jwt.MapClaims{"sub": "u"}, "kid", "r")
	_, err = NewVerifier(set).Verify(confused)
	wantRefused(t, err, "not what this server's key is for", confused)
	single, err := json.Marshal(edJWK)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewVerifier(mustKey(t, single)).Verify(mustSign(t, ed.private, Claims{UID: "u"})); err != nil {
		t.Errorf("a single JWK: %v", err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(secret)
	f.Add(ecPair(f).public)
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`))
	f.Add([]byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKey(data)
		if (err == nil) != (len(key.keys) > 0) {
			t.Fatalf("%d keys with the error %v", len(key.keys), err)
		}
		for _, k := range key.keys {
			if s, isSecret := k.public.([]byte); isSecret && len(s) < MinSecret {
				t.Fatalf("a secret of %d bytes was accepted", len(s))
			}
		}
	})
}
