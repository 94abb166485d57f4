package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

// issuer publishes keys, and can be made to do otherwise.
type issuer struct {
	*httptest.Server
	asked atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answers(fn http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = fn
}

func (i *issuer) text(body string) {
	i.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
}

func (i *issuer) fails() {
	i.answers(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) })
}

// publishes says that these are the keys, by name.
func (i *issuer) publishes(keys map[string]pair) { i.text(document(keys)) }

func document(keys map[string]pair) string {
	list := []map[string]string{{"kty": "EC", "crv": "P-521", "kid": "not ours"}, {"kty": "EC", "crv": "P-256", "kid": "damaged", "x": "?"}}
	for kid, key := range keys {
		list = append(list, jwkOf(kid, key))
	}
	text, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func jwkOf(kid string, key pair) map[string]string {
	encode := base64.RawURLEncoding.EncodeToString
	switch public := key.signer.Public().(type) {
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(public)}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]string{"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(point[1:33]), "y": encode(point[33:])}
	}
	panic("a key of another type")
}

// clock is what a KeySet takes for the time.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// follower follows the issuer, but fetches nothing unasked, unless something
// failed.
func follower(t *testing.T, i *issuer, change ...func(*KeySet)) (*KeySet, *clock) {
	t.Helper()
	s, err := newKeySet(i.URL+"/jwks.json", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	s.tick, s.now = time.Hour, c.now
	for _, f := range change {
		f(s)
	}
	s.start(t.Context())
	t.Cleanup(s.Close)
	return s, c
}

// tokenOf is a token of a user, signed with a key of that name.
func tokenOf(t *testing.T, kid string, key pair) string {
	t.Helper()
	return mustSign(t, key.private, Claims{UID: "ann", KeyID: kid, Expires: time.Now().Add(time.Hour)})
}

func accepted(t *testing.T, s *KeySet, token string) {
	t.Helper()
	if id, err := NewIssuerVerifier(s).Verify(token); err != nil || id.UID != "ann" {
		t.Errorf("got %+v, %v", id, err)
	}
}

func refused(t *testing.T, s *KeySet, token, want string) {
	t.Helper()
	_, err := NewIssuerVerifier(s).Verify(token)
	wantRefused(t, err, want, token)
}

func notNow(t *testing.T, s *KeySet, token string) {
	t.Helper()
	_, err := NewIssuerVerifier(s).Verify(token)
	wantUnavailable(t, err)
}

func TestKeysRotate(t *testing.T) {
	i, old, fresh := newIssuer(t), edPair(t), ecPair(t)
	i.publishes(map[string]pair{"old": old})
	s, c := follower(t, i)
	accepted(t, s, tokenOf(t, "old", old))
	refused(t, s, tokenOf(t, "old", fresh), "key")
	accepted(t, s, tokenOf(t, "", old)) // names none

	i.publishes(map[string]pair{"old": old, "new": fresh})
	c.advance(KeyMissInterval)
	accepted(t, s, tokenOf(t, "new", fresh)) // asked for
	accepted(t, s, tokenOf(t, "old", old))
	if n := i.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times", n)
	}

	i.publishes(map[string]pair{"new": fresh})
	c.advance(KeyMissInterval)
	refused(t, s, tokenOf(t, "unknown", old), "not in this server's key set")
	refused(t, s, tokenOf(t, "old", old), "not in this server's key set")
}

// Without being asked for, too: a key that was withdrawn must not go on to
// count.
func TestKeysAreRefreshed(t *testing.T) {
	i, old, fresh := newIssuer(t), edPair(t), edPair(t)
	i.publishes(map[string]pair{"old": old})
	s, _ := follower(t, i, func(s *KeySet) { s.tick = 10 * time.Millisecond })
	accepted(t, s, tokenOf(t, "old", old))
	i.publishes(map[string]pair{"new": fresh})
	verifier, token := NewIssuerVerifier(s), tokenOf(t, "old", old)
	await(t, "the old key's end", func() bool { _, err := verifier.Verify(token); return err != nil })
}

// Tokens of keys that nobody has make the issuer be asked once in a while, and
// no oftener.
func TestUnknownKeysAreAskedForSeldom(t *testing.T) {
	i, key := newIssuer(t), edPair(t)
	i.publishes(map[string]pair{"a": key})
	s, c := follower(t, i)
	c.advance(KeyMissInterval)
	var all sync.WaitGroup
	verifier := NewIssuerVerifier(s)
	for n := range 50 {
		token := tokenOf(t, fmt.Sprint("unknown-", n), key)
		all.Go(func() {
			_, err := verifier.Verify(token)
			wantRefused(t, err, "not in this server's key set")
		})
	}
	all.Wait()
	refused(t, s, tokenOf(t, "another", key), "not in this server's key set")
	if n := i.asked.Load(); n != 2 || s.Stats().FetchSaved.Load() == 0 {
		t.Errorf("the issuer was asked %d times, %d times were saved", n, s.Stats().FetchSaved.Load())
	}
	accepted(t, s, tokenOf(t, "a", key))
}

// While the issuer is away its keys count, but not for ever.
func TestIssuerGoesAway(t *testing.T) {
	i, key, later := newIssuer(t), edPair(t), edPair(t)
	i.publishes(map[string]pair{"a": key})
	s, c := follower(t, i)
	i.fails()
	c.advance(KeyMissInterval)
	notNow(t, s, tokenOf(t, "b", later)) // it may be a new key
	accepted(t, s, tokenOf(t, "a", key))
	refused(t, s, tokenOf(t, "a", later), "not signed with")
	notNow(t, s, tokenOf(t, "b", later)) // too soon to ask again, and still not known
	if s.Stats().FetchErrors.Load() == 0 {
		t.Error("the failure was not counted")
	}
	c.advance(MaxKeyAge)
	notNow(t, s, tokenOf(t, "a", key))
	if n := s.Stats().Outdated.Load(); n != 1 {
		t.Errorf("%d tokens came when no key was known", n)
	}
	i.publishes(map[string]pair{"a": key, "b": later})
	verifier, token := NewIssuerVerifier(s), tokenOf(t, "b", later)
	await(t, "the issuer's return", func() bool { _, err := verifier.Verify(token); return err == nil })
	accepted(t, s, tokenOf(t, "a", key))
}

// An issuer that is away when this server starts does not keep it from
// starting.
func TestIssuerIsAwayAtTheStart(t *testing.T) {
	i, key := newIssuer(t), edPair(t)
	i.fails()
	s, _ := follower(t, i)
	token := tokenOf(t, "a", key)
	notNow(t, s, token)
	i.publishes(map[string]pair{"a": key})
	verifier := NewIssuerVerifier(s)
	await(t, "the issuer's coming", func() bool { _, err := verifier.Verify(token); return err == nil })
}

// What an issuer answers is bounded, and what is no key set leaves the last one
// as it is.
func TestWhatIsNoKeySet(t *testing.T) {
	i, key := newIssuer(t), edPair(t)
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	many := map[string]pair{}
	for n := range MaxKeys {
		many[fmt.Sprint(n)] = key
	}
	secretKey := fmt.Sprintf(`{"keys":[{"kty":"oct","kid":"s","k":%q}]}`, base64.RawURLEncoding.EncodeToString(secret))
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500"},
		"a page":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "not valid JSON"},
		"no key":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) }, "no public key"},
		"a public secret": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, secretKey) }, "no public key"},
		"too many":        {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, document(many)) }, "at most 100"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat(" ", MaxKeySet), document(nil))
		}, "more than"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			fmt.Fprint(w, "{")
		}, "EOF"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline"},
		"a redirect to ftp": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://127.0.0.1/", http.StatusFound)
		}, "https"},
		"a redirect away": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "https"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "too many redirects"},
		"private keys": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}]}`)
		}, "no public key"},
	} {
		t.Run(name, func(t *testing.T) {
			i.publishes(map[string]pair{"a": key})
			s, _ := follower(t, i)
			i.answers(tc.answer)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if name != "silence" {
				ctx = t.Context()
			}
			if _, err := s.get(ctx); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			s.fetch(ctx)
			accepted(t, s, tokenOf(t, "a", key))
		})
	}
}

// A secret in a document that everybody can read signs nothing, and a public
// key is no secret.
func TestIssuerPinsTheAlgorithm(t *testing.T) {
	i, key := newIssuer(t), edPair(t)
	i.text(fmt.Sprintf(`{"keys":[{"kty":"oct","kid":"s","k":%q},{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`,
		base64.RawURLEncoding.EncodeToString(secret), jwkOf("a", key)["x"]))
	s, c := follower(t, i)
	accepted(t, s, tokenOf(t, "a", key))
	c.advance(KeyMissInterval)
	claims := jwt.MapClaims{"sub": "ann"}
	refused(t, s, forge(t, jwt.SigningMethodHS256, secret, claims, "kid", "s"), "not in this server's key set")
	refused(t, s, forge(t, jwt.SigningMethodHS256, []byte(key.signer.Public().(ed25519.PublicKey)), claims, "kid", "a"), "signed with HS256")
	refused(t, s, forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims, "kid", "a"), "not signed")
}

func TestKeySetAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"https://login.example.com/jwks": "", "http://localhost:1/x": "", "http://127.0.0.1/x": "", "http://[::1]:8/x": "",
		"http://login.example.com/jwks": "use https", "http://localhost.evil.example/": "use https", "http://127.0.0.1.evil.example/": "use https",
		"ftp://127.0.0.1/": "use https", "file:///etc/passwd": "no host", "": "no host", "login.example.com/jwks": "no host",
		"https://user:secret@login.example.com/": "password", "https://a b/": "no URL",
	} {
		_, err := newKeySet(address, zerolog.Nop())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password: %v", address, err)
		}
	}
}
