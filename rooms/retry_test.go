package rooms_test

import (
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestStepAfterAnOutage: an owner whose step could not be stored while NATS was away
// sends it again when NATS is back, however long its pauses have grown.
func TestStepAfterAnOutage(t *testing.T) {
	cfg := embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()}
	srv, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr = strings.TrimPrefix(srv.URL(), "nats://")
	eng := startEngine(t, embedded.Remote{URL: srv.URL()}, func(c *rooms.Config) { ledgers(c); c.RetryAfter(time.Hour) })
	const room = "ledger-1"
	if _, err := command(t, eng, room, "before", service, "add", ""); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	if _, err := command(t, eng, room, "during", service, "add", ""); err == nil {
		t.Fatal("a command was decided while the log was away")
	}
	if eng.TableStats().Retries.Load() == 0 {
		t.Fatal("the step was not to be sent again")
	}
	if srv, err = embedded.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	eventually(t, "it decides again", func() bool {
		_, err := command(t, eng, room, "during", service, "add", "")
		return err == nil
	})
	if has := audit(t, eng, room).Total; has != 2 {
		t.Errorf("two were added, and the ledger has %d", has)
	}
}
