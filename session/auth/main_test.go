package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("0123456789abcdef0123456789abcdef")

// await waits until a condition holds that another goroutine brings about.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s did not come about", what)
		}
	}
}

// pair is a private key and its public half, both in PEM.
type pair struct {
	signer          crypto.Signer
	private, public []byte
}

func newPair(t testing.TB, signer crypto.Signer, err error) pair {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pair{signer,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
}

func rsaPair(t testing.TB) pair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return newPair(t, key, err)
}

func ecPair(t testing.TB) pair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return newPair(t, key, err)
}

func edPair(t testing.TB) pair {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return newPair(t, key, err)
}

func mustKey(t testing.TB, data []byte) Key {
	t.Helper()
	key, err := ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustSign(t testing.TB, key []byte, c Claims) string {
	t.Helper()
	token, err := SignToken(key, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forge signs any claims in any way.
func forge(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// wantRefused checks that err is an *Error with status 401 whose message has
// want and none of the secrets.
func wantRefused(t *testing.T, err error, want string, secrets ...string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || !errors.Is(err, ErrBadCredential) || refused.Status() != 401 {
		t.Fatalf("got %v, want an *Error of ErrBadCredential with status 401", err)
	}
	if !strings.Contains(refused.Message, want) {
		t.Errorf("got %q, want %q in it", refused.Message, want)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q repeats the credential", err)
		}
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBadCredential) || failed.Status() != 503 {
		t.Fatalf("got %v, want an *Error of ErrUnavailable with status 503", err)
	}
}
