package node

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad: whatever stands on the command line, in the environment and in the
// file, it is a configuration that may be started, or an error that says what
// to do; a secret is in none of them.
func FuzzLoad(f *testing.F) {
	for _, seed := range [][3]string{
		{"--addr\nlocalhost:2", "ROOMD_RATE=3", `{"max_message": "64KB"}`}, {"--max-message=-1", "ROOMD_SYNC=always", `{"addr": 1}`}, {"--help", "", ""}, {"--version", "", "x"},
		{"--jwt-key=" + secret, "", ""}, {"--trusted-proxy\n10.0.0.0/99", "ROOMD_ALLOW_ORIGIN=*,https://a", `{"allow-origin": ["*", null]}`}, {"--", "=", `[]`}, {"-h", "ROOMD_", `null`},
		{"--allow-guests=maybe\nx", "ROOMD_JWT_KEY=" + secret, `{"history": 1e99, "rate": -0.0}`}, {"--nats-url=nats://u:p@h", "ROOMD_NATS_URL=nats://u:p@h", `{"config": "/dev/null"}`},
		{"--ping=99999999999999h", "ROOMD_PING=1ns", `{"ping": {"a": 1}}`}, {"--guest-rooms=-", "ROOMD_GUEST_SPEAK=a*b", `{"jwt-key": "` + secret + `"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	path := filepath.Join(f.TempDir(), "config.json")
	f.Fuzz(func(t *testing.T, args, env, file string) {
		if strings.Contains(args+env+file, "-file") || strings.Contains(env, "_FILE") || strings.Contains(args+env, "config") || strings.Contains(env, "CONFIG") {
			return // names a file of this machine
		}
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		line := []string{"--config", path}
		if args != "" {
			line = append(line, strings.Split(args, "\n")...)
		}
		if file == "" {
			line = line[2:]
		}
		cfg, err := Load(line, strings.Split(env, "\n"), io.Discard)
		switch {
		case errors.Is(err, ErrShown):
		case err != nil:
			if strings.TrimSpace(err.Error()) == "" || strings.Contains(err.Error(), secret) {
				t.Fatalf("%q, %q, %q: %q", args, env, file, err)
			}
		default:
			if err := cfg.Validate(); err != nil {
				t.Fatalf("%q, %q, %q were loaded, and then: %v", args, env, file, err)
			}
		}
	})
}
