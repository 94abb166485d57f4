package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const secret = "only for these tests, 32 bytes.."

// call runs a command that needs no input.
func call(t *testing.T, env []string, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, env, strings.NewReader(""), &out, &errs)
	return out.String(), err
}

func TestMistakesAreNamed(t *testing.T) {
	dir := t.TempDir()
	empty, short := filepath.Join(dir, "empty"), filepath.Join(dir, "short")
	for path, text := range map[string]string{empty: "\n", short: "abc"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := []string{keyVariable + "=" + secret}
	nobody := "ws://127.0.0.1:1/ws" // the port of tcpmux, which nobody serves
	tests := []struct {
		args []string
		env  []string
		want string
	}{
		{args: []string{"nonsense"}, want: "nonsense"},
		{args: []string{"join"}, want: "<room>"},
		{args: []string{"join", "x", "--nope"}, want: "--nope"},
		{args: []string{"join", "x", "--last", "many"}, want: "--last"},
		{args: []string{"join", "x", "--last", "101"}, want: "--last"},
		{args: []string{"join", "x", "--timeout", "0s"}, want: "--timeout"},
		{args: []string{"join", "a\nb"}, want: "ROOM"},
		{args: []string{"join", "x", "--url", "http://h/ws"}, want: "--url"},
		{args: []string{"join", "x", "--url", nobody}, want: "--url " + nobody},
		{args: []string{"join", "x"}, env: []string{"ROOMCTL_URL=nowhere"}, want: "--url nowhere"},
		{args: []string{"join", "x", "--token-file", filepath.Join(dir, "missing")}, want: "--token-file"},
		{args: []string{"join", "x", "--token-file", empty}, want: "--token-file"},
		{args: []string{"join", "x", "--tls-ca", filepath.Join(dir, "missing")}, want: "--tls-ca"},
		{args: []string{"join", "x", "--tls-ca", empty}, want: "--tls-ca"},
		{args: []string{"verify", "--tls-ca", empty}, want: "--tls-ca"},
		{args: []string{"members", "x"}, env: []string{"ROOMCTL_APIKEY=x"}, want: "ROOMCTL_APIKEY is none of roomctl's, which are ROOMCTL_API_KEY, "},
		{args: []string{"send", "x", "--payload", "{"}, want: "--payload"},
		{args: []string{"send", "x", "--type", "A b"}, want: "--type"},
		{args: []string{"send", "x", "hi", "--type", "y"}, want: "--type"},
		{args: []string{"send", "x", "--id", "a"}, want: "--id"},
		{args: []string{"send", "x", "hi", "--id", "a\nb"}, want: "--id"},
		{args: []string{"members", "x", "--timeout", "0s"}, want: "--timeout"},
		{args: []string{"members", "a\nb"}, want: "ROOM"},
		{args: []string{"members", "x", "--api-key-file", filepath.Join(dir, "missing")}, want: "--api-key-file"},
		{args: []string{"history", "x", "--api-key-file", empty}, want: "--api-key-file"},
		{args: []string{"history", "x", "--tls-ca", empty}, want: "--tls-ca"},
		{args: []string{"history", "x", "--limit", "0"}, want: "--limit"},
		{args: []string{"history", "x", "--limit", "-5"}, want: "--limit is -5; it must be at least 1"},
		{args: []string{"verify", "--duration", "-3s"}, want: "--duration is -3s; it must be positive"},
		{args: []string{"verify", "--rate", "-3"}, want: "--rate is -3; it must be positive"},
		{args: []string{"history", "x", "--before", "-1"}, want: "--before is -1; it must be a whole number from 0 up; see roomctl --help"},
		{args: []string{"verify", "--publishers", "0"}, want: "--publishers is 0; it must be at least 1"},
		{args: []string{"verify", "--members", "-1"}, want: "--members is -1; it must not be negative"},
		{args: []string{"verify", "--rooms", "11"}, want: "--rooms"},
		{args: []string{"verify", "--rate", "0"}, want: "--rate"},
		{args: []string{"verify", "--rate", "NaN"}, want: "--rate"},
		{args: []string{"verify", "--rate", "201"}, want: "--client-rate"},
		{args: []string{"verify", "--duration", "0s"}, want: "--duration"},
		{args: []string{"verify", "--settle", "-1s"}, want: "--settle is -1s; it must not be negative"},
		{args: []string{"verify", "--give-up", "2m"}, want: "--give-up"},
		{args: []string{"verify", "--timeout", "0s"}, want: "--timeout"},
		{args: []string{"verify", "--wait", "-1s"}, want: "--wait"},
		{args: []string{"verify", "--wait", "1ms", "--url", nobody}, want: "127.0.0.1:1/"},
		{args: []string{"verify", "--progress", "-1s"}, want: "--progress"},
		{args: []string{"verify", "--jwt-key-file", empty}, want: "--jwt-key-file " + empty},
		{args: []string{"verify", "--jwt-key-file", filepath.Join(dir, "missing")}, want: "--jwt-key-file"},
		{args: []string{"token"}, env: key, want: "--sub"},
		{args: []string{"token", "--sub", "percy"}, want: "--key-file"},
		{args: []string{"token", "--sub", "percy", "--key-file", filepath.Join(dir, "missing")}, want: "--key-file"},
		{args: []string{"token", "--sub", "percy", "--key-file", short}, want: "--key-file " + short},
		{args: []string{"token", "--sub", "a\nb"}, env: key, want: "--sub"},
		{args: []string{"token", "--sub", "percy", "--ttl", "-1h"}, env: key, want: "--ttl"},
		{args: []string{"token", "--sub", "percy", "--room", ""}, env: key, want: "--room"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			out, err := call(t, tt.env, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not name %q", err, tt.want)
			}
			if out != "" {
				t.Errorf("printed %q", out)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"join", "--help"}, {"token", "-h"}} {
		if out, err := call(t, nil, args...); err != nil || !strings.Contains(out, "Usage: roomctl") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

func TestVersion(t *testing.T) {
	if out, err := call(t, nil, "--version"); err != nil || !strings.HasPrefix(out, "roomctl ") || strings.Count(out, "\n") != 1 {
		t.Errorf("%q, %v", out, err)
	}
}

// Every variable that a flag names is known.
func TestVariables(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		for _, flag := range command.Flags {
			if name := flag.Tag.Get("from"); name != "" && !slices.Contains(variables, name) {
				t.Errorf("%s --%s comes from %s, which is refused", command.Name, flag.Name, name)
			}
		}
	}
	if !slices.IsSorted(variables) {
		t.Errorf("%q is not in order", variables)
	}
}

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"token", "--sub", "u-1", "--name", "Percy", "--avatar", "3", "--room", "a,b", "--room", "vip-*", "--speak", "a,b", "--issuer", "i", "--aud", "x", "--ttl", "10m"}
	for name, call := range map[string]func() (string, error){
		"file":     func() (string, error) { return call(t, nil, append(slices.Clone(args), "--key-file", path)...) },
		"variable": func() (string, error) { return call(t, []string{keyVariable + "=" + secret}, args...) },
	} {
		out, err := call()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		who, err := auth.NewVerifier(key).Verify(strings.TrimSpace(out))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		left := time.Until(who.Expires)
		if who.UID != "u-1" || who.Username != "Percy" || who.AvatarID != "3" || left <= 0 || left > 10*time.Minute ||
			!who.MayEnter("a,b") || !who.MayEnter("vip-7") || who.MayEnter("a") ||
			!who.MaySpeak("a,b") || who.MaySpeak("vip-7") || who.MaySpeak("@u-2") {
			t.Errorf("%s: %+v", name, who)
		}
	}
}
