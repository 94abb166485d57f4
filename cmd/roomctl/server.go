package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const tokenVariable = "ROOMCTL_TOKEN"

// server is the flags of every command that connects.
type server struct {
	trust
	URL       string        `name:"url" default:"ws://localhost:3000/ws" from:"ROOMCTL_URL" help:"Address of the server's WebSocket; also ROOMCTL_URL."`
	TokenFile string        `placeholder:"FILE" help:"File with the JWT to log in with, read again for every connect; also ROOMCTL_TOKEN with the JWT itself. Without one: a guest."`
	Name      string        `from:"ROOMCTL_NAME" help:"What a guest is called; also ROOMCTL_NAME."`
	Avatar    string        `from:"ROOMCTL_AVATAR" help:"A guest's avatar; also ROOMCTL_AVATAR."`
	Timeout   time.Duration `default:"30s" help:"How long to wait for the connection, and for each answer."`
}

// dial connects with room as the first room.
func (s *server) dial(ctx context.Context, t terminal, room string, cfg client.Config) (*client.Client, error) {
	first, err := wire.ParseRoom(room)
	if err != nil {
		return nil, fmt.Errorf("ROOM %q: %w", room, err)
	}
	if s.Timeout <= 0 {
		return nil, fmt.Errorf("--timeout is %v; it must be positive", s.Timeout)
	}
	cfg.URL, cfg.Username, cfg.AvatarID, cfg.Room = s.URL, s.Name, s.Avatar, string(first)
	cfg.HandshakeTimeout = s.Timeout
	if cfg.TLS, err = s.config(); err != nil {
		return nil, err
	}
	cfg.Token = s.token(t)
	if cfg.Token != nil {
		if _, err := cfg.Token(ctx); err != nil {
			return nil, err
		}
	}
	c, err := client.Dial(ctx, cfg)
	if err == nil {
		return c, nil
	}
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Status == 401 {
		return nil, fmt.Errorf("%w; give a valid token with --token-file or ROOMCTL_TOKEN (roomctl token makes one)", err)
	}
	return nil, fmt.Errorf("--url %s: %w", s.URL, err)
}

// token is nil for a guest.
func (s *server) token(t terminal) func(context.Context) (string, error) {
	if s.TokenFile != "" {
		return func(context.Context) (string, error) { return readToken(s.TokenFile) }
	}
	if token := strings.TrimSpace(t.env[tokenVariable]); token != "" {
		return func(context.Context) (string, error) { return token, nil }
	}
	return nil
}

func readToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("--token-file: %s does not hold one token", path)
	}
	return token, nil
}
