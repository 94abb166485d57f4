package node

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// With a key of either kind NATS asks for the password in the store directory, and the node goes on by itself; without one it
// stays open to this machine.
func TestKeysCloseNATS(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		asks   bool
	}{
		"no key":              {func(*Config) {}, false},
		"JWT key":             {func(c *Config) { c.JWTKey, c.AllowGuests = secret, yes() }, true},
		"API key":             {func(c *Config) { c.APIKey = "0123456789abcdef" }, true},
		"another address":     {func(c *Config) { c.NATSAddr = "0.0.0.0:0" }, true},
		"a key, file storage": {func(c *Config) { c.JWTKey, c.AllowGuests, c.Store = secret, yes(), storeFile }, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.StoreDir = filepath.Join(t.TempDir(), "store")
			c.change(&cfg)
			s := serve(t, cfg)
			file := filepath.Join(cfg.StoreDir, "nats-password")
			nc, err := nats.Connect(s.NATSURL())
			if err == nil {
				nc.Close()
			}
			if refused := errors.Is(err, nats.ErrAuthorization); refused != c.asks {
				t.Errorf("a client without a password: %v", err)
			}
			info, err := os.Stat(file)
			if (err == nil) != c.asks || c.asks && info.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v", info, err)
			}
			m := s.dial(t, "percy", "")
			if err := natsTo(t, s).Publish("room.general.event", []byte(`{"type":"round_result","payload":{}}`)); err != nil {
				t.Fatal(err)
			}
			m.next(t, "round_result")
		})
	}
}

func yes() *bool { v := true; return &v }

// A second node takes the password in its URL.
func TestAnotherNodeWithThePassword(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey, cfg.APIKey, cfg.AllowGuests = secret, "k3y", yes()
	one := serve(t, cfg)
	data, err := os.ReadFile(one.cfg.NATSPasswordFile())
	if err != nil {
		t.Fatal(err)
	}
	cfg.NATSURL = strings.Replace(one.NATSURL(), "://", "://roomd:"+strings.TrimSpace(string(data))+"@", 1)
	two := serve(t, cfg)
	m := one.dial(t, "percy", "")
	two.want(t, 200, "POST", "/api/rooms/general/events", hello, "Authorization", "Bearer k3y")
	m.next(t, wire.TypeNewMessage)
	if err := two.stop(); err != nil {
		t.Error(err)
	}
}

// What is wrong with the file is said with the flag, and nothing is started.
func TestPasswordFileRefused(t *testing.T) {
	cfg := testConfig()
	cfg.StoreDir, cfg.APIKey = t.TempDir(), "0123456789abcdef"
	file := filepath.Join(cfg.StoreDir, embedded.PasswordFileName)
	if err := os.WriteFile(file, []byte("0123456789abcdef0123456789abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := New(t.Context(), cfg, zerolog.Nop(), os.Stderr)
	mustFail(t, err, file, "0644", "chmod 600", "--store-dir", "ROOMD_STORE_DIR")
	cfg.StoreDir = ""
	mustFail(t, cfg.Validate(), "--store-dir", "password", "--nats-addr")
}

// The greeting's line can be pasted into a shell, whatever the directory is called.
func TestShellWord(t *testing.T) {
	for _, path := range []string{".roomd/nats-password", "/var/lib/it's here/$(rm x)/p", "-n", "a b", `back\slash`, "百家樂/p"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellWord(path)).Output()
		if err != nil {
			t.Skip("no shell:", err)
		}
		if string(out) != path {
			t.Errorf("%q became %q", path, out)
		}
	}
	if got := shellWord(".roomd/nats-password"); got != ".roomd/nats-password" {
		t.Errorf("quoted without need: %s", got)
	}
}
