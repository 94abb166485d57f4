package browser

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// roomd is a real server process that a test starts, kills and starts again
// on the same addresses and store.
type roomd struct {
	t        *testing.T
	binary   string
	store    string
	httpAddr string
	natsAddr string
	args     []string // more of them
	env      []string // beside this process's own
	scheme   string
	client   *http.Client
	cmd      *exec.Cmd
}

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "roomd")
	out, err := exec.Command("go", "build", "-o", path, "../../roomd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build roomd: %w\n%s", err, out)
	}
	return path, nil
})

func newRoomd(t *testing.T) *roomd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := &roomd{t: t, binary: path, store: t.TempDir(), httpAddr: freeAddr(t), natsAddr: freeAddr(t), scheme: "http://", client: http.DefaultClient}
	t.Cleanup(func() {
		if r.cmd != nil {
			r.kill()
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// freeAddr finds a port of the loopback interface; the server gets it a moment
// later, and the same one again after a restart.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *roomd) url() string { return r.scheme + r.httpAddr + "/" }

func (r *roomd) start() {
	r.t.Helper()
	args := []string{"--addr", r.httpAddr, "--nats-addr", r.natsAddr, "--store-dir", r.store, "--log", "json"}
	r.cmd = exec.Command(r.binary, append(args, r.args...)...)
	r.cmd.Env = append(os.Environ(), r.env...)
	r.cmd.Stdout, r.cmd.Stderr = testLog{r.t}, testLog{r.t}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !r.ready(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatal("roomd is not ready")
		}
	}
}

func (r *roomd) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url()+"readyz", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// kill pulls the plug: SIGKILL.
func (r *roomd) kill() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Error(err)
	}
	_ = r.cmd.Wait() // says that it was killed
	r.cmd = nil
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("roomd: %s", p)
	return len(p), nil
}
