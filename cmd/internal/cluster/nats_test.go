//go:build unix

package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// natsCluster is three real servers with the configuration of
// testdata/cluster.
type natsCluster struct {
	t         *testing.T
	passwords map[string]string // by user
	servers   []*natsServer
}

type natsServer struct {
	process
	port, monitor int
	store         string
}

// wipe kills the server and takes its disk away.
func (s *natsServer) wipe() {
	s.t.Helper()
	s.kill()
	if err := os.RemoveAll(s.store); err != nil {
		s.t.Fatal(err)
	}
}

// startNATS returns when the servers can make a replicated stream.
func startNATS(t *testing.T) *natsCluster {
	t.Helper()
	c := newNATS(t)
	for _, s := range c.servers {
		s.start()
	}
	c.ready()
	return c
}

// newNATS makes the servers without starting them.
func newNATS(t *testing.T) *natsCluster {
	t.Helper()
	c := &natsCluster{t: t, passwords: make(map[string]string)}
	env := []string{"PATH=" + os.Getenv("PATH")}
	for _, user := range []string{"route", "node", "operator", "service", "backend", "watcher", "admin"} {
		c.passwords[user] = "p" + rand.Text()
		env = append(env, "NATS_"+strings.ToUpper(user)+"_PASSWORD="+c.passwords[user])
	}
	config, err := filepath.Abs("../../../testdata/cluster/server.conf")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	ports := make([]int, 3)
	for i := range ports {
		ports[i] = freePort(t)
		routes = append(routes, fmt.Sprintf("nats-route://route:%s@%s", c.passwords["route"], address(ports[i])))
	}
	for i, name := range []string{"a", "b", "c"} {
		s := &natsServer{port: freePort(t), monitor: freePort(t), store: filepath.Join(t.TempDir(), name)}
		s.process = process{t: t, name: "nats-" + name, path: natsProgram(t), args: []string{"-c", config}, env: append(env[:len(env):len(env)],
			"NATS_NAME="+name, "NATS_HOST=127.0.0.1", fmt.Sprint("NATS_PORT=", s.port), "NATS_MONITOR="+address(s.monitor),
			fmt.Sprint("NATS_ROUTE_PORT=", ports[i]), "NATS_ROUTES=["+strings.Join(routes, ", ")+"]",
			fmt.Sprintf("NATS_STORE=%q", s.store), "NATS_STORE_SIZE=4GB", `NATS_SYNC="2m"`)}
		c.servers = append(c.servers, s)
	}
	return c
}

// ready waits until every server is healthy, JetStream included.
func (c *natsCluster) ready() {
	c.t.Helper()
	for _, s := range c.servers {
		s.answers("http://" + address(s.monitor) + "/healthz")
	}
}

// listens waits until the server takes connections, whatever else it can do.
func (s *natsServer) listens() {
	s.t.Helper()
	s.answers("http://" + address(s.monitor) + "/healthz?js-enabled-only=true")
}

// url is where a user finds the servers.
func (c *natsCluster) url(user string) string {
	var ports []int
	for _, s := range c.servers {
		ports = append(ports, s.port)
	}
	return c.urlAt(user, ports...)
}

func (c *natsCluster) urlAt(user string, ports ...int) string {
	var urls []string
	for _, port := range ports {
		urls = append(urls, fmt.Sprintf("nats://%s:%s@%s", user, c.passwords[user], address(port)))
	}
	return strings.Join(urls, ",")
}

// connect connects as a user; errs gets what the server complains about.
func (c *natsCluster) connect(url string, errs chan<- error) *nats.Conn {
	c.t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case errs <- err:
		default: // nobody wants more
		}
	}))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}

// leader is the server that leads the stream of the rooms.
func (c *natsCluster) leader() *natsServer {
	c.t.Helper()
	return c.leaderOf("ROOMS")
}

// stepDown has the leader of a stream hand over to another server.
func (c *natsCluster) stepDown(stream string) {
	c.t.Helper()
	nc := c.connect(c.url("node"), nil)
	defer nc.Close()
	msg, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, 10*time.Second)
	if err != nil || !strings.Contains(string(msg.Data), `"success":true`) {
		c.t.Fatalf("the leader of %s does not step down: %v %s", stream, err, msg.Data)
	}
}

// hears waits until something with this part is published on a subject.
func (c *natsCluster) hears(subject, part string) {
	c.t.Helper()
	nc := c.connect(c.url("node"), nil)
	defer nc.Close()
	heard, err := nc.SubscribeSync(subject)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for found := false; !found; {
		msg, err := heard.NextMsgWithContext(ctx)
		if err != nil {
			c.t.Fatalf("nothing with %q is published on %s: %v", part, subject, err)
		}
		found = strings.Contains(string(msg.Data), part)
	}
}

// leaderOf is the server that leads a stream.
func (c *natsCluster) leaderOf(stream string) *natsServer {
	c.t.Helper()
	nc := c.connect(c.url("operator"), nil)
	defer nc.Close()
	var found *natsServer
	eventually(c.t, "the stream has a leader", time.Minute, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		msg, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, nil)
		if err != nil {
			return err
		}
		var info struct {
			Cluster struct{ Leader string }
		}
		if err := json.Unmarshal(msg.Data, &info); err != nil {
			return err
		}
		for _, s := range c.servers {
			if s.name == "nats-"+info.Cluster.Leader {
				found = s
				return nil
			}
		}
		return errors.New("no leader")
	})
	return found
}
