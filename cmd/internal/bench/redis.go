package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
)

// redisProgram is what Debian's package redis-server installs.
const redisProgram = "redis-server"

// socketIORedis is Socket.IO that stores what is said in a Redis stream. It is
// absent where Node.js, its packages or Redis are not to be had.
func socketIORedis(ctx context.Context, dir string) *program {
	p := socketIO(ctx, dir)
	p.name, p.stores = peerSocketIORedis, storesInRedis
	if p.absent != "" {
		return p
	}
	redis, err := exec.LookPath(redisProgram)
	if err != nil {
		p.absent = "no redis-server: apt-get install redis-server"
		return p
	}
	p.back = func(ctx context.Context, f *fleet) (string, error) { return startRedis(ctx, f, redis) }
	p.args = func(at place) []string {
		return []string{"server.js", "--addr", at.addr, "--redis", "redis://" + at.store}
	}
	return p
}

// startRedis starts Redis and returns its address, when it is ready.
func startRedis(ctx context.Context, f *fleet, path string) (addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	dir, err := f.subdir("redis")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	// A snapshot or a rewrite of the file would be made by a child process,
	// whose CPU would not be counted.
	c, err := f.run(redisProgram, exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0", "--save", ""))
	if err != nil {
		return "", err
	}
	return addr, c.await(ctx, func(ctx context.Context) error {
		answer, err := redisAsk(ctx, addr, "PING")
		if err == nil && answer != "+PONG\r\n" {
			err = fmt.Errorf("PING: %q", answer)
		}
		return err
	})
}

// redisAsk sends Redis a command. With QUIT the answer ends with the
// connection.
func redisAsk(ctx context.Context, addr, command string) (string, error) {
	answer, err := exchange(ctx, addr, command+"\r\nQUIT\r\n", io.ReadAll)
	return strings.TrimSuffix(string(answer), "+OK\r\n"), err
}
