//go:build linux

package hostile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Somebody on the same machine who has no password: with a key set, NATS is
// closed.
func TestNATSWithoutPassword(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
	}{{"a JWT key", keys[:1]}, {"an API key", keys[1:]}, {"both keys", keys}} {
		t.Run(tt.name, func(t *testing.T) {
			a := prepare(t, setup{name: "NATS without its password, with " + tt.name, env: tt.env})
			if tt.env[0] == keys[0] {
				a.watch(asUser(t, "bystander"))
			} else {
				a.watch(nil)
			}
			for what, option := range map[string]nats.Option{
				"nobody":                nats.Name("nobody"),
				"the user without it":   nats.UserInfo("roomd", ""),
				"a guess":               nats.UserInfo("roomd", "password"),
				"the name of a service": nats.UserInfo("service", "service"),
				"a token":               nats.Token(apiKey),
			} {
				nc, err := nats.Connect("nats://"+a.server.nats, option, nats.Timeout(5*time.Second))
				if err == nil {
					nc.Close()
				}
				a.holds(err != nil && strings.Contains(strings.ToLower(err.Error()), "auth"), "%s gets into NATS: %v", what, err)
			}
			info, err := os.Stat(filepath.Join(a.server.dir, "nats-password"))
			a.holds(err == nil && info.Mode().Perm() == 0o600, "the password's file: %v %v", info, err)
			if err == nil {
				nc := a.server.connect()
				a.holds(nc.IsConnected(), "with the password: %v", nc.LastError())
			}
			a.end()
		})
	}
}
