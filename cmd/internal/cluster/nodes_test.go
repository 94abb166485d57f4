//go:build unix

package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// jwtKey is of these tests only.
const jwtKey = "only for these tests, 32 bytes.."

// apiKey is of these tests only: beside a JWT key the API answers nobody without.
const apiKey = "only-for-these-tests"

// node is a real roomd. Those of startNodes reach every server through a proxy
// of their own.
type node struct {
	process
	port  int
	links links
}

// newNode makes a roomd without starting it; with natsURL "" it has its
// embedded server.
func newNode(t *testing.T, name, natsURL string, flags ...string) *node {
	t.Helper()
	x := &node{port: freePort(t)}
	x.process = process{t: t, name: name, path: roomdProgram(t), env: []string{"PATH=" + os.Getenv("PATH"), "ROOMD_JWT_KEY=" + jwtKey, "ROOMD_API_KEY=" + apiKey},
		args: append([]string{"--addr", address(x.port), "--node-name", name, "--allow-guests", "--guest-rooms", "*", "--guest-speak", "*", "--rate-bytes", "0", "--room-bytes", "0", "--inbox-rate", "0", "--log", "json", "--drain", "2s"}, flags...)}
	if natsURL != "" {
		x.env = append(x.env, "ROOMD_NATS_URL="+natsURL)
	}
	return x
}

// startNodes starts n roomd and returns when all are ready.
func startNodes(t *testing.T, c *natsCluster, n int, flags ...string) []*node {
	t.Helper()
	var nodes []*node
	for i := range n {
		var through links
		var ports []int
		for _, s := range c.servers {
			p := startProxy(t, address(s.port))
			through = append(through, p)
			ports = append(ports, p.port())
		}
		x := newNode(t, fmt.Sprint("n", i+1), c.urlAt("node", ports...), flags...)
		x.links = through
		nodes = append(nodes, x)
		x.start()
	}
	for _, x := range nodes {
		x.ready()
	}
	return nodes
}

func (x *node) ready() {
	x.t.Helper()
	x.answers("http://" + address(x.port) + "/readyz")
}

// counted is nil when a metric whose line begins so is not 0.
func (x *node) counted(ctx context.Context, metric string) error {
	text, err := get(ctx, "http://"+address(x.port)+"/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metric) && !strings.HasSuffix(line, " 0\n") {
			return nil
		}
	}
	return fmt.Errorf("%s… is 0", metric)
}

func (x *node) ws() string { return "ws://" + address(x.port) + "/ws" }

// token is a user's.
func token(uid string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		return auth.SignToken([]byte(jwtKey), auth.Claims{UID: uid, Name: uid, Expires: time.Now().Add(time.Hour)})
	}
}
