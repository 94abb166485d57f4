package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const keyVariable = "ROOMD_JWT_KEY"

type tokenCmd struct {
	KeyFile string        `placeholder:"FILE" help:"File with the HS256 secret or the private key in PEM; also ROOMD_JWT_KEY with the key itself."`
	Sub     string        `required:"" placeholder:"UID" help:"Whose token it is: the user's id."`
	Name    string        `help:"What the user is called."`
	Avatar  string        `help:"The user's avatar."`
	Room    []string      `sep:"none" placeholder:"ROOM" help:"A room the user may join, or a prefix and *; repeat it for more. Without it: every room."`
	Speak   []string      `sep:"none" placeholder:"ROOM" help:"A room the user may speak in, or a prefix and *; @UID or @* to send private messages; - for nowhere. Repeat it for more. Without it: wherever the user may be, and to everybody."`
	Issuer  string        `placeholder:"ISS" help:"The token's iss, for a server with --jwt-issuer."`
	Aud     []string      `sep:"none" placeholder:"AUD" help:"The token's aud, for a server with --jwt-audience."`
	TTL     time.Duration `name:"ttl" default:"1h" help:"How long the token is valid."`
}

func (cmd *tokenCmd) run(_ context.Context, t terminal) error {
	key, source, err := cmd.key(t)
	if err != nil {
		return err
	}
	if cmd.TTL <= 0 {
		return fmt.Errorf("--ttl is %v; it must be positive", cmd.TTL)
	}
	for _, room := range cmd.Room {
		if _, err := wire.ParseRoom(room); err != nil {
			return fmt.Errorf("--room %q: %w", room, err)
		}
	}
	speak, err := auth.ParsePatterns(cmd.Speak)
	if err != nil {
		return fmt.Errorf("--speak: %w", err)
	}
	if !wire.ValidUID(cmd.Sub) {
		return fmt.Errorf("--sub %q cannot be a user's id: use 1-63 characters without control characters", cmd.Sub)
	}
	token, err := auth.SignToken(key, auth.Claims{
		UID: cmd.Sub, Name: cmd.Name, AvatarID: cmd.Avatar, Rooms: cmd.Room, Speak: speak, Issuer: cmd.Issuer, Audience: cmd.Aud,
		Expires: time.Now().Add(cmd.TTL),
	})
	if err != nil {
		return fmt.Errorf("sign for --sub %q with the key of %s: %w", cmd.Sub, source, err)
	}
	if _, err := fmt.Fprintln(t.stdout, token); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	return nil
}

func (cmd *tokenCmd) key(t terminal) (key []byte, source string, err error) {
	if cmd.KeyFile != "" {
		if key, err = os.ReadFile(cmd.KeyFile); err != nil {
			return nil, "", fmt.Errorf("--key-file: %w", err)
		}
		return key, "--key-file " + cmd.KeyFile, nil
	}
	if key := t.env[keyVariable]; key != "" {
		return []byte(key), keyVariable, nil
	}
	return nil, "", errors.New("a key is needed to sign with: give --key-file or set " + keyVariable)
}
