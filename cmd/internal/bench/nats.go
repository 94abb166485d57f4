package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// natsPackage is the server that roomd embeds, as a program.
const natsPackage = "github.com/nats-io/nats-server/v2"

// natsCluster is NATS servers as testdata/cluster configures them.
type natsCluster struct {
	path   string // of the program
	config string
	n      int
}

func (w *workshop) nats(ctx context.Context, n int) (*natsCluster, error) {
	if w.root == "" {
		return nil, errors.New("--nats builds nats-server from the source tree: run the bench there")
	}
	path, err := w.build(ctx, w.root, natsPackage)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(w.root, "testdata", "cluster", "server.conf")
	if n == 1 {
		config, err = w.withoutCluster(config)
	}
	return &natsCluster{path: path, config: config, n: n}, err
}

// withoutCluster copies a server's configuration without the block that makes it
// one of several: alone it would wait for the others.
func (w *workshop) withoutCluster(config string) (string, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return "", fmt.Errorf("--nats: %w", err)
	}
	before, rest, found := strings.Cut(string(data), "\ncluster {\n")
	_, after, closed := strings.Cut(rest, "\n}\n")
	if !found || !closed {
		return "", fmt.Errorf("--nats 1: %s has no cluster block to leave out", config)
	}
	const accounts = "accounts.conf" // which it includes, from beside it
	users, err := os.ReadFile(filepath.Join(filepath.Dir(config), accounts))
	path := filepath.Join(w.dir, "server.conf")
	for name, text := range map[string]string{path: before + "\n" + after, filepath.Join(w.dir, accounts): string(users)} {
		if err == nil {
			err = os.WriteFile(name, []byte(text), 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("--nats 1: %w", err)
	}
	return path, nil
}

// start returns the URLs of all servers, when each is healthy.
func (c *natsCluster) start(ctx context.Context, f *fleet) (urls string, err error) {
	secrets := natsSecrets()
	const ports = 3 // of each server: for clients, for its health, for the others
	addrs, err := freeAddrs(ports * c.n)
	if err != nil {
		return "", err
	}
	clients, monitors, routes := addrs[:c.n], addrs[c.n:2*c.n], addrs[2*c.n:]
	var children []*child
	for i := range c.n {
		cmd, err := c.command(f, i, clients[i], monitors[i], routes, secrets)
		if err != nil {
			return "", err
		}
		child, err := f.run(fmt.Sprint("nats-server ", i+1), cmd)
		if err != nil {
			return "", err
		}
		children = append(children, child)
	}
	for i, child := range children {
		if err := child.await(ctx, func(ctx context.Context) error { return get200(ctx, monitors[i], "/healthz") }); err != nil {
			return "", err
		}
	}
	return natsURLs("nats", "node", secrets["node"], clients), nil
}

// command is the server number i with the variables that server.conf asks for.
func (c *natsCluster) command(f *fleet, i int, client, monitor string, routes []string, secrets map[string]string) (*exec.Cmd, error) {
	dir, err := f.subdir(fmt.Sprint("nats", i+1))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.path, "-c", c.config)
	cmd.Env = append(os.Environ(),
		fmt.Sprint("NATS_NAME=s", i+1), "NATS_HOST=127.0.0.1", "NATS_PORT="+portOf(client), "NATS_MONITOR="+monitor,
		"NATS_ROUTE_PORT="+portOf(routes[i]), "NATS_ROUTES=["+natsURLs("nats-route", "route", secrets["route"], routes)+"]",
		fmt.Sprintf("NATS_STORE=%q", dir), "NATS_STORE_SIZE=4GB", `NATS_SYNC="2m"`)
	for user, password := range secrets {
		cmd.Env = append(cmd.Env, "NATS_"+strings.ToUpper(user)+"_PASSWORD="+password)
	}
	return cmd, nil
}

// natsSecrets are new passwords of the users of accounts.conf.
func natsSecrets() map[string]string {
	secrets := make(map[string]string)
	for _, user := range []string{"route", "node", "operator", "service", "backend", "watcher", "admin"} {
		secrets[user] = "p" + rand.Text() // all digits would be read as a number
	}
	return secrets
}

func natsURLs(scheme, user, password string, addrs []string) string {
	var urls []string
	for _, addr := range addrs {
		urls = append(urls, fmt.Sprintf("%s://%s:%s@%s", scheme, user, password, addr))
	}
	return strings.Join(urls, ",")
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
