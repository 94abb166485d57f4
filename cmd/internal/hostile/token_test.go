//go:build linux

package hostile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// Keys of these tests only.
const (
	jwtKey = "only for these tests, 32 bytes.."
	apiKey = "only-for-these-tests-too-32-bytes"
)

// keys are the environment of a server that has both.
var keys = []string{"ROOMD_JWT_KEY=" + jwtKey, "ROOMD_API_KEY=" + apiKey}

type claims map[string]any

// jwt signs claims, whatever they are: a mistaken issuer does the same.
func jwt(t *testing.T, c claims) string {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(body)
	mac := hmac.New(sha256.New, []byte(jwtKey))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// userToken is that of a user who may do everything.
func userToken(t *testing.T, uid string) string {
	t.Helper()
	now := time.Now()
	return jwt(t, claims{"sub": uid, "name": uid, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
}

// bearer is a header.
func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// asUser is how a bystander logs in where guests may not.
func asUser(t *testing.T, uid string) tokens {
	t.Helper()
	token := userToken(t, uid)
	return func(context.Context) (string, error) { return token, nil }
}
