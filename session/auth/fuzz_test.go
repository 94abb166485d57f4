package auth

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzIdentify: whatever a request carries, it is a guest of a clean name,
// somebody who has a signed token, or refused.
func FuzzIdentify(f *testing.F) {
	guests := &Guests{secret: []byte(strings.Repeat("g", 32))}
	a := &Authenticator{Verifier: NewVerifier(mustKey(f, secret)), Guests: guests}
	user := forge(f, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "u1", "name": "N\u200b"})
	ofGuest := forge(f, jwt.SigningMethodHS256, guests.secret, jwt.MapClaims{"sub": "guest-abc", "name": "n"}, "typ", guestTokenType)
	for _, seed := range [][2]string{
		{"username=percy&avatar_id=7", ""}, {"", "Bearer " + user}, {"token=" + user, ""}, {"token=" + ofGuest + "&username=%E2%80%8B", ""},
		{"", "bearer  " + ofGuest}, {"otp=x", ""}, {"token=", ""}, {"token=a&token=b", "Basic x"}, {"%zz", "Bearer"}, {"username=%00%ff", "Bearer a.b.c"},
		{"token=" + forge(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "guest-x"}, "typ", guestTokenType), ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, query, authorization string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{"Authorization": {authorization}}}
		id, err := a.Identify(r.WithContext(t.Context()))
		if err != nil {
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if id.Username == "" || CleanName(id.Username) != id.Username || CleanName(id.AvatarID) != id.AvatarID {
			t.Fatalf("%q, %q: %+q, %+q", query, authorization, id.Username, id.AvatarID)
		}
		values, _ := url.ParseQuery(query)
		carries := func(token string) bool {
			return strings.Contains(authorization, token) || slices.Contains(values["token"], token)
		}
		switch {
		case id.Guest != strings.HasPrefix(id.UID, guestPrefix):
			t.Fatalf("%+v", id)
		case !id.Guest && !carries(user), id.UID == "guest-abc" && !carries(ofGuest):
			t.Fatalf("%q, %q: became %+v", query, authorization, id)
		}
	})
}

// FuzzPeer: who made a request is what the nearest proxy that is not trusted,
// or else the last trusted one, says; what a client puts before that changes
// nothing.
func FuzzPeer(f *testing.F) {
	proxies, err := ParseProxies([]string{"127.0.0.1", "10.0.0.0/8", "fd00::/8"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][3]string{
		{"127.0.0.1:5", "192.0.2.7", "198.51.100.9"}, {"10.1.2.3:5", "192.0.2.7, 10.0.0.9", "x"}, {"192.0.2.1:5", "127.0.0.1", ""}, {"[fd00::1%eth0]:5", "[2001:db8::1]:443", ","},
		{"", "a", "b"}, {"127.0.0.1:5", "10.0.0.1\n192.0.2.8\n10.0.0.2,", "127.0.0.1"}, {"[::ffff:127.0.0.1]:1", "::ffff:192.0.2.7", "::"}, {"127.0.0.1:1", "unknown", "_x"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, remote, lines, invented string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
		if lines != "" {
			r.Header["X-Forwarded-For"] = strings.Split(lines, "\n")
		}
		peer := proxies.Peer(r)
		if peer.Addr.IsValid() && (peer.Addr.Is4In6() || peer.Addr.Zone() != "" || AddrKey(peer.Addr) == "" || AddrOf(peer.Addr.String()) != peer.Addr) {
			t.Fatalf("%q of %q is %v", lines, remote, peer.Addr)
		}
		direct := AddrOf(remote)
		if !proxies.Trusts(direct) && (peer.Addr != direct || peer.Forwarded) {
			t.Fatalf("%q was believed to come for %v", remote, peer.Addr)
		}
		if _, err := ParseProxies([]string{lines}); err == nil {
			if _, err := netip.ParsePrefix(lines); err != nil && !AddrOf(lines).IsValid() {
				t.Fatalf("%q is a proxy", lines)
			}
		}
		if peer.Hidden || !peer.Forwarded || proxies.Trusts(peer.Addr) || strings.Contains(invented, "\n") {
			return
		}
		r.Header["X-Forwarded-For"] = append([]string{invented}, r.Header["X-Forwarded-For"]...)
		if again := proxies.Peer(r); again != peer {
			t.Fatalf("%q before %q of %q makes %v of %v", invented, lines, remote, again, peer)
		}
	})
}

// FuzzJWKS: a set of keys gives keys that pin an algorithm, or an error.
func FuzzJWKS(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[]}`, `{"keys":[{"kty":"EC","crv":"P-256","kid":"a","use":"sig","alg":"ES256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"oct","k":"AAAA"}]}`, `{"kty":"oct","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}`,
		`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"X"}]}`, `{"keys":null}`, `{"keys":[null]}`, `[]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := parseJWKS(data)
		if (err == nil) != (len(key.keys) > 0) {
			t.Fatalf("%q: %d keys with the error %v", data, len(key.keys), err)
		}
		for _, k := range key.keys {
			if k.method == nil || k.public == nil || k.method == jwt.SigningMethodNone {
				t.Fatalf("%q: %+v", data, k)
			}
			if s, isSecret := k.public.([]byte); isSecret && len(s) < MinSecret {
				t.Fatalf("%q: a secret of %d bytes", data, len(s))
			}
		}
	})
}
