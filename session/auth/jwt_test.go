package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

func TestSignAndVerify(t *testing.T) {
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	rs, es, ed := rsaPair(t), ecPair(t), edPair(t)
	for _, tc := range []struct {
		name          string
		sign, confirm []byte
	}{
		{"HS256", secret, append(bytes.Clone(secret), '\n')},
		{"RS256", rs.private, rs.public},
		{"ES256", es.private, es.public},
		{"EdDSA", ed.private, ed.public},
		{"one of two", ed.private, append(bytes.Clone(es.public), ed.public...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := time.Now().Truncate(time.Millisecond)
			token := mustSign(t, tc.sign, Claims{UID: "percy", Name: "Percy", AvatarID: "7", Rooms: []string{"vip-*"}, Speak: []string{"vip-1"}, Expires: expires})
			got, err := NewVerifier(mustKey(t, tc.confirm)).Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			want := Identity{UID: "percy", Username: "Percy", AvatarID: "7", Rooms: []string{"vip-*"}, Speak: []string{"vip-1"}, Expires: expires}
			if got.IssuedAt.Before(before) || got.IssuedAt.After(time.Now()) {
				t.Errorf("issued at %v, made after %v", got.IssuedAt, before)
			}
			got.IssuedAt = time.Time{}
			if !got.Expires.Equal(want.Expires) {
				t.Errorf("expires %v, want %v", got.Expires, want.Expires)
			}
			got.Expires = want.Expires
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestVerifyClaims(t *testing.T) {
	now := time.Now().Unix()
	verifier := NewVerifier(mustKey(t, secret))
	for _, tc := range []struct {
		name   string
		claims jwt.MapClaims
		want   Identity // Expires is not compared
		bad    string   // part of the error
	}{
		{"defaults", jwt.MapClaims{"sub": "u1"}, Identity{UID: "u1", Username: "u1"}, ""},
		{"avatar number", jwt.MapClaims{"sub": "u1", "avatar": 12}, Identity{UID: "u1", Username: "u1", AvatarID: "12"}, ""},
		{"avatar null", jwt.MapClaims{"sub": "u1", "avatar": nil}, Identity{UID: "u1", Username: "u1"}, ""},
		{"avatar object", jwt.MapClaims{"sub": "u1", "avatar": jwt.MapClaims{}}, Identity{}, "well-formed"},
		{"name cleaned", jwt.MapClaims{"sub": "u1", "name": " \u202eP\nx "}, Identity{UID: "u1", Username: "Px"}, ""},
		{"no rooms", jwt.MapClaims{"sub": "u1", "rooms": []string{}}, Identity{UID: "u1", Username: "u1", Rooms: []string{}}, ""},
		{"null rooms", jwt.MapClaims{"sub": "u1", "rooms": nil}, Identity{UID: "u1", Username: "u1"}, ""},
		{"rooms composed", jwt.MapClaims{"sub": "u1", "rooms": []string{"cafe\u0301"}}, Identity{UID: "u1", Username: "u1", Rooms: []string{"café"}}, ""},
		{"speaks nowhere", jwt.MapClaims{"sub": "u1", "speak": []string{}}, Identity{UID: "u1", Username: "u1", Speak: []string{}}, ""},
		{"null speak", jwt.MapClaims{"sub": "u1", "speak": nil}, Identity{UID: "u1", Username: "u1"}, ""},
		{"speak composed", jwt.MapClaims{"sub": "u1", "speak": []string{"cafe\u0301"}}, Identity{UID: "u1", Username: "u1", Speak: []string{"café"}}, ""},
		{"speak no list", jwt.MapClaims{"sub": "u1", "speak": "a"}, Identity{}, "well-formed"},
		{"rooms no list", jwt.MapClaims{"sub": "u1", "rooms": "a"}, Identity{}, "well-formed"},
		{"strange iat and aud", jwt.MapClaims{"sub": "u1", "iat": "x", "aud": 1, "iss": 2}, Identity{UID: "u1", Username: "u1"}, ""},
		{"future iat", jwt.MapClaims{"sub": "u1", "iat": now + 9999}, Identity{UID: "u1", Username: "u1"}, ""},
		{"negative iat", jwt.MapClaims{"sub": "u1", "iat": -1}, Identity{UID: "u1", Username: "u1"}, ""},
		{"enormous iat", jwt.MapClaims{"sub": "u1", "iat": 1e300}, Identity{}, "iat claim is no time"},
		{"iat", jwt.MapClaims{"sub": "u1", "iat": now}, Identity{UID: "u1", Username: "u1", IssuedAt: time.Unix(now, 0)}, ""},
		{"iat in parts", jwt.MapClaims{"sub": "u1", "iat": json.Number("1700000000.125")}, Identity{UID: "u1", Username: "u1", IssuedAt: time.UnixMilli(1700000000125)}, ""},
		{"just expired", jwt.MapClaims{"sub": "u1", "exp": now - 4}, Identity{UID: "u1", Username: "u1"}, ""},
		{"expired", jwt.MapClaims{"sub": "u1", "exp": now - 12}, Identity{}, "expired"},
		{"exp zero", jwt.MapClaims{"sub": "u1", "exp": 0}, Identity{}, "expired"},
		{"exp text", jwt.MapClaims{"sub": "u1", "exp": "soon"}, Identity{}, "exp claim is a text"},
		{"exp in quotes", jwt.MapClaims{"sub": "u1", "exp": fmt.Sprint(now + 60)}, Identity{}, "exp claim is a text"},
		{"nbf in quotes", jwt.MapClaims{"sub": "u1", "nbf": fmt.Sprint(now - 60)}, Identity{}, "nbf claim is a text"},
		{"nearly valid", jwt.MapClaims{"sub": "u1", "nbf": now + 5}, Identity{UID: "u1", Username: "u1"}, ""},
		{"not valid yet", jwt.MapClaims{"sub": "u1", "nbf": now + 60}, Identity{}, "not valid yet"},
		{"no sub", jwt.MapClaims{"name": "x"}, Identity{}, "empty"},
		{"sub number", jwt.MapClaims{"sub": 5}, Identity{}, "well-formed"},
		{"sub inbox", jwt.MapClaims{"sub": "@u1"}, Identity{}, `starts with "@"`},
		{"sub guest", jwt.MapClaims{"sub": "guest-1"}, Identity{}, "kept for guests"},
		{"sub space", jwt.MapClaims{"sub": "a b"}, Identity{}, "white space"},
		{"sub control", jwt.MapClaims{"sub": "a\x00b"}, Identity{}, "control"},
		{"sub longest", jwt.MapClaims{"sub": strings.Repeat("a", 63)}, Identity{UID: strings.Repeat("a", 63), Username: strings.Repeat("a", 63)}, ""},
		{"sub too long", jwt.MapClaims{"sub": strings.Repeat("a", 64)}, Identity{}, "longer than 63"},
		{"sub decomposed", jwt.MapClaims{"sub": "cafe\u0301"}, Identity{}, "NFC"},
		{"sub CJK", jwt.MapClaims{"sub": "百家樂"}, Identity{UID: "百家樂", Username: "百家樂"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := forge(t, jwt.SigningMethodHS256, secret, tc.claims)
			got, err := verifier.Verify(token)
			if tc.bad != "" {
				wantRefused(t, err, tc.bad, token)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Expires = time.Time{}
			if !got.IssuedAt.Equal(tc.want.IssuedAt) {
				t.Errorf("issued at %v, want %v", got.IssuedAt, tc.want.IssuedAt)
			}
			got.IssuedAt = tc.want.IssuedAt
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// What two readers would understand differently, or none as it was meant, is
// refused. The claims are as an issuer may write them that is not careful.
func TestVerifyRefusesAmbiguousClaims(t *testing.T) {
	verifier := NewVerifier(mustKey(t, secret))
	for _, tc := range []struct{ claims, bad string }{
		{`{"sub":"u1","nbf":1e300}`, "nbf claim is no time"},
		{`{"sub":"u1","nbf":-1e300}`, "nbf claim is no time"},
		{`{"sub":"u1","nbf":1e999}`, "nbf claim is no time"},
		{`{"sub":"u1","nbf":"1e300"}`, "nbf claim is a text"},
		{`{"sub":"u1","nbf":9223372036854775807}`, "nbf claim is no time"},
		{`{"sub":"u1","nbf":9007199254740992}`, "nbf claim is after the year 9999"},
		{`{"sub":"u1","nbf":-9007199254740992}`, ""},
		{`{"sub":"u1","exp":1e300}`, "exp claim is no time"},
		{`{"sub":"u1","exp":-1e19}`, "exp claim is no time"},
		{`{"sub":"u1","exp":-9007199254740992}`, "expired"},
		{`{"sub":"u1","exp":9007199254740992}`, "exp claim is after the year 9999"},
		{`{"sub":"u1","exp":253402300799}`, ""},
		{`{"sub":"u1","iat":-1e300}`, "iat claim is no time"},
		{`{"sub":"u1","iat":1e999}`, "iat claim is no time"},
		{`{"sub":"u1","iat":9007199254740992}`, ""},
		{`{"sub":"u1","exp":null,"nbf":null,"iat":null}`, ""},
		{"{\"sub\":\"a\xff\"}", "not UTF-8"},
		{"{\"sub\":\"u1\",\"rooms\":[\"a\xff\"]}", "not UTF-8"},
		{`{"sub":"a\ud800"}`, "U+FFFD"},
		{`{"sub":"a\ufffd"}`, "U+FFFD"},
		{`{"sub":"a\ud83c\udfb2"}`, ""},
		{`{"sub":"u1","sub":"u2"}`, "claim sub twice"},
		{`{"sub":"u1","s\u0075b":"u1"}`, "claim sub twice"},
		{`{"sub":"u1","rooms":["x"],"rooms":null}`, "claim rooms twice"},
		{`{"sub":"u1","speak":null,"speak":null}`, "claim speak twice"},
		{`{"sub":"u1","exp":1,"exp":9999999999}`, "claim exp twice"},
		{`{"sub":"u1","role":"a","role":"b"}`, ""},
		{`["sub"]`, "no JSON object"},
		{`null`, ""},
	} {
		token := signText(t, tc.claims)
		id, err := verifier.Verify(token)
		switch {
		case tc.claims == "null":
			wantRefused(t, err, "the token", token)
		case tc.bad != "":
			if err == nil {
				t.Errorf("%q is %+v", tc.claims, id)
				continue
			}
			wantRefused(t, err, tc.bad, token)
		case err != nil:
			t.Errorf("%q: %v", tc.claims, err)
		}
	}
}

// signText signs claims as they are written.
func signText(t testing.TB, claims string) string {
	t.Helper()
	text := b64(`{"alg":"HS256","typ":"JWT"}`) + "." + b64(claims)
	signature, err := jwt.SigningMethodHS256.Sign(text, secret)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Claims have exactly their names: what an issuer lets users choose beside its
// own says nothing here, whatever comes first.
func TestClaimsAreNamedExactly(t *testing.T) {
	v := NewVerifier(mustKey(t, secret))
	token := forge(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{
		"sub": "u1", "SUB": "admin", "Sub": "root", "name": "n", "NAME": "Boss", "rooms": []string{"general"}, "Rooms": []string{"*"}, "ſpeak": []string{"*"}, "Speak": []string{"*"},
		"exp": time.Now().Add(time.Hour).Unix(), "EXP": time.Now().Add(1000 * time.Hour).Unix(),
	})
	id, err := v.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	if id.UID != "u1" || id.Username != "n" || id.MayEnter("vip") || id.Speak != nil || time.Until(id.Expires) > 2*time.Hour {
		t.Errorf("it is %+v", id)
	}
}

func TestVerifyRules(t *testing.T) {
	strict := NewVerifier(mustKey(t, secret))
	strict.Issuer, strict.Audience, strict.RequireExpiry = "https://issuer.example", []string{"roomd", "table"}, true
	good := func(change ...any) jwt.MapClaims {
		claims := jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "iss": "https://issuer.example", "aud": "roomd"}
		for i := 0; i < len(change); i += 2 {
			claims[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(claims, change[i].(string))
			}
		}
		return claims
	}
	for _, tc := range []struct {
		name   string
		claims jwt.MapClaims
		bad    string
	}{
		{"good", good(), ""},
		{"one of several audiences", good("aud", []string{"shop", "table"}), ""},
		{"no exp", good("exp", nil), "no exp claim"},
		{"no iss", good("iss", nil), "no iss claim"},
		{"another issuer", good("iss", "https://issuer.example/"), "iss claim is not the issuer"},
		{"a strange issuer", good("iss", 7), "iss claim is not the issuer"},
		{"no aud", good("aud", nil), "no aud claim"},
		{"another audience", good("aud", "shop"), "names another audience"},
		{"an audience of none", good("aud", []string{}), "names another audience"},
		{"a strange audience", good("aud", []any{7}), "names another audience"},
	} {
		token := forge(t, jwt.SigningMethodHS256, secret, tc.claims)
		if _, err := strict.Verify(token); tc.bad != "" {
			wantRefused(t, err, tc.bad, token)
		} else if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, err := NewVerifier(mustKey(t, secret)).Verify(token); err != nil {
			t.Errorf("%s, unless asked for: %v", tc.name, err)
		}
	}
	token := mustSign(t, secret, Claims{UID: "u1", Expires: time.Now().Add(time.Hour), Issuer: strict.Issuer, Audience: strict.Audience[1:]})
	if _, err := strict.Verify(token); err != nil {
		t.Errorf("our own: %v", err)
	}
}

func TestVerifyPinsTheAlgorithm(t *testing.T) {
	rs, es, ed := rsaPair(t), ecPair(t), edPair(t)
	claims := jwt.MapClaims{"sub": "u1"}
	byAlg := map[string]string{
		"HS256":           forge(t, jwt.SigningMethodHS256, secret, claims),
		"HS512":           forge(t, jwt.SigningMethodHS512, secret, claims),
		"RS256":           forge(t, jwt.SigningMethodRS256, rs.signer, claims),
		"RS512":           forge(t, jwt.SigningMethodRS512, rs.signer, claims),
		"PS256":           forge(t, jwt.SigningMethodPS256, rs.signer, claims),
		"ES256":           forge(t, jwt.SigningMethodES256, es.signer, claims),
		"EdDSA":           forge(t, jwt.SigningMethodEdDSA, ed.signer, claims),
		"none":            forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims),
		"HS256 by public": forge(t, jwt.SigningMethodHS256, rs.public, claims), // the key confusion attack
	}
	for alg, key := range map[string][]byte{"HS256": secret, "RS256": rs.public, "ES256": es.public, "EdDSA": ed.public} {
		verifier := NewVerifier(mustKey(t, key))
		for signed, token := range byAlg {
			_, err := verifier.Verify(token)
			switch {
			case signed == alg && err != nil:
				t.Errorf("a key for %s refuses its own token: %v", alg, err)
			case signed == alg:
			case alg == "HS256" && signed == "HS256 by public":
				wantRefused(t, err, "not signed with this server's key", token)
			default:
				wantRefused(t, err, "not what this server's key is for", token)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	verifier := NewVerifier(mustKey(t, secret))
	good := mustSign(t, secret, Claims{UID: "u1"})
	parts := strings.Split(good, ".")
	for _, tc := range []struct{ name, token, want string }{
		{"wrong key", mustSign(t, []byte("another secret of 32 bytes......"), Claims{UID: "u1"}), "not signed with"},
		{"changed claims", parts[0] + "." + b64(`{"sub":"root"}`) + "." + parts[2], "not signed with"},
		{"no signature", parts[0] + "." + parts[1] + ".", "not signed with"},
		{"unknown algorithm", b64(`{"alg":"XX1"}`) + "." + parts[1] + "." + parts[2], "no signing algorithm"},
		{"no algorithm", b64(`{}`) + "." + parts[1] + "." + parts[2], "no signing algorithm"},
		{"two parts", parts[0] + "." + parts[1], "well-formed"},
		{"four parts", good + ".x", "well-formed"},
		{"empty", "", "well-formed"},
		{"line break in the signature", good[:len(good)-5] + "\n" + good[len(good)-5:], "well-formed"},
		{"null claims", parts[0] + "." + b64(`null`) + "." + parts[2], "not signed with"},
		{"unknown extension", forge(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "u1"}, "crit", "b64"), "extensions"},
		{"too long", good + strings.Repeat("A", MaxToken), fmt.Sprint(MaxToken)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := verifier.Verify(tc.token)
			wantRefused(t, err, tc.want, tc.token)
		})
	}
}

// Who counts in milliseconds, and would make tokens that never end, hears of it
// with the first one.
func TestTimesInMilliseconds(t *testing.T) {
	last := int64(253402300799) // 9999-12-31T23:59:59Z, which other servers write for never
	verifier := NewVerifier(mustKey(t, secret))
	id, err := verifier.Verify(forge(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "u1", "exp": last}))
	if err != nil || id.Expires.Unix() != last {
		t.Errorf("the last second of the year 9999: %v, %v", id.Expires, err)
	}
	if _, err := id.Expires.MarshalJSON(); err != nil {
		t.Error(err)
	}
	for _, claim := range []string{"exp", "nbf"} {
		for _, at := range []any{last + 1, time.Now().UnixMilli()} {
			token := forge(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "u1", claim: at})
			_, err := verifier.Verify(token)
			wantRefused(t, err, claim+" claim is after the year 9999: it must be in seconds since 1970, not in milliseconds", token)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	ed := edPair(t)
	for _, tc := range []struct {
		name   string
		key    []byte
		claims Claims
		want   string
	}{
		{"uid", secret, Claims{UID: "guest-x"}, "kept for guests"},
		{"short secret", []byte("short"), Claims{UID: "u"}, "openssl rand"},
		{"public key", ed.public, Claims{UID: "u"}, "PRIVATE KEY"},
		{"jwks", []byte(`{"keys":[]}`), Claims{UID: "u"}, "not a JWKS"},
		{"damaged", []byte("-----BEGIN PRIVATE KEY-----\nx"), Claims{UID: "u"}, "no private key"},
		{"no end", secret, Claims{UID: "u", Expires: time.Unix(253402300800, 0)}, "after 9999-12-31"},
		{"no beginning", secret, Claims{UID: "u", NotBefore: time.Unix(253402300800, 0)}, "after 9999-12-31"},
		{"too long", secret, Claims{UID: "u", Rooms: []string{strings.Repeat("r", MaxToken)}}, "fewer rooms"},
	} {
		if _, err := SignToken(tc.key, tc.claims); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", tc.name, err, tc.want)
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// FuzzVerify: of what is not signed here nothing is accepted but the seeds, up
// to what does not change their meaning; the same text signed as claims is
// refused, or is somebody whose name and times are what everybody reads in it.
func FuzzVerify(f *testing.F) {
	es := ecPair(f)
	verifiers := []*Verifier{NewVerifier(mustKey(f, secret)), NewVerifier(mustKey(f, es.public))}
	seeds := []string{
		// The same in every process that fuzzes, as corpora are kept from run
		// to run.
		forge(f, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "u1", "name": "n", "rooms": []string{"a", "b*"}}, "kid", "k"),
		mustSign(f, es.private, Claims{UID: "u2", Expires: time.Now().Add(time.Hour)}),
		forge(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "u3"}),
		"", "..", "a.b.c", b64(`{"alg":"HS256"}`) + "." + b64(`{"sub":null}`) + ".", b64(`{"alg":1,"crit":[]}`) + "." + b64(`null`) + ".x",
		`{"sub":"u1","nbf":1e300}`, `{"sub":"u1","nbf":1,"exp":9e9,"iat":-1}`, `{"sub":"a\ud800"}`, "{\"sub\":\"a\xff\"}", `{"sub":"u1","rooms":["x"],"rooms":null}`,
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range verifiers {
			id, err := v.Verify(token)
			if err != nil {
				var refused *Error
				if !errors.As(err, &refused) || refused.Status() != 401 {
					t.Fatalf("error %v", err)
				}
				if len(token) > 40 && strings.Contains(err.Error(), token) {
					t.Fatalf("%q repeats the token", err)
				}
				continue
			}
			if token != seeds[0] && token != seeds[1] {
				t.Fatalf("a token that nobody signed was accepted as %+v", id)
			}
		}
		if id, err := verifiers[0].Verify(signText(t, token)); err == nil {
			wantPlainClaims(t, token, id)
		}
	})
}

// wantPlainClaims checks claims that were accepted.
func wantPlainClaims(t *testing.T, claims string, id Identity) {
	t.Helper()
	var exp, nbf json.Number
	if !utf8.ValidString(claims) || strings.ContainsRune(id.UID, utf8.RuneError) || checkUID(id.UID) != "" {
		t.Fatalf("%q is %+v", claims, id)
	}
	for _, name := range claimNames {
		if strings.Count(claims, `"`+name+`":`) > 1 && !strings.ContainsAny(claims, `\[`) && strings.Count(claims, "{") == 1 {
			t.Fatalf("%q has %s twice", claims, name)
		}
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatalf("%q: %v", claims, err)
	}
	for name, number := range map[string]*json.Number{"exp": &exp, "nbf": &nbf} {
		if len(all[name]) == 0 {
			continue
		}
		if err := json.Unmarshal(all[name], number); err != nil {
			t.Fatalf("%q: %v", claims, err)
		}
	}
	const second = 1 // for the time that passes
	now := float64(time.Now().Unix())
	if at, err := exp.Float64(); err == nil && at < now-Leeway.Seconds()-second {
		t.Fatalf("%q is accepted after exp", claims)
	}
	if at, err := nbf.Float64(); err == nil && at > now+Leeway.Seconds()+second {
		t.Fatalf("%q is accepted before nbf", claims)
	}
}
