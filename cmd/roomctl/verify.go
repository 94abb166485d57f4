package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const verifyKeyVariable = "ROOMCTL_JWT_KEY"

// verifyCmd judges a service; all of it is in package verify.
type verifyCmd struct {
	trust
	verify.Config
	JWTKeyFile string `name:"jwt-key-file" placeholder:"FILE" help:"File with the HS256 secret or the private key in PEM to make the clients' tokens with; also ROOMCTL_JWT_KEY with the key itself. Without one they are guests."`
	APIKeyFile string `name:"api-key-file" placeholder:"FILE" help:"With --tables: file with the server's API key, to read the logs over HTTP; also ROOMCTL_API_KEY with the key itself. A server without any key answers on its own machine."`
}

func (cmd *verifyCmd) run(ctx context.Context, t terminal) (err error) {
	if cmd.Sign, err = cmd.signer(t); err != nil {
		return err
	}
	if cmd.TLS, err = cmd.config(); err != nil {
		return err
	}
	if cmd.APIKey, err = (&api{APIKeyFile: cmd.APIKeyFile}).key(t); err != nil {
		return err
	}
	return verify.Run(ctx, cmd.Config, t.stdout)
}

// signer makes tokens; nil for guests.
func (cmd *verifyCmd) signer(t terminal) (func(uid string) (string, error), error) {
	key, source := []byte(t.env[verifyKeyVariable]), verifyKeyVariable
	if cmd.JWTKeyFile != "" {
		var err error
		if key, err = os.ReadFile(cmd.JWTKeyFile); err != nil {
			return nil, fmt.Errorf("--jwt-key-file: %w", err)
		}
		source = "--jwt-key-file " + cmd.JWTKeyFile
	}
	if len(key) == 0 && cmd.JWTKeyFile == "" {
		return nil, nil
	}
	sign := func(uid string) (string, error) {
		const life = time.Hour // of one connect; every reconnect makes a new one
		token, err := auth.SignToken(key, auth.Claims{UID: uid, Name: uid, Expires: time.Now().Add(life + cmd.Duration)})
		if err != nil {
			return "", fmt.Errorf("sign with the key of %s: %w", source, err)
		}
		return token, nil
	}
	_, err := sign("verify")
	return sign, err
}
