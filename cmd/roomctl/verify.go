package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const (
	verifyKeyVariable = "ROOMCTL_JWT_KEY"
	// maxGiveUp keeps sending again under the same id within the 2 minutes for
	// which the server knows an id: the last copy may take 5 s to be written and is
	// tried for 15 s.
	maxGiveUp = 100 * time.Second
)

type verifyCmd struct {
	trust
	URL        []string      `name:"url" sep:"," default:"ws://localhost:3000/ws" from:"ROOMCTL_URL" help:"Address of a node's WebSocket; repeat it for more. Clients are spread over them, and move on to the next when theirs is lost. Also ROOMCTL_URL."`
	Publishers int           `default:"10" help:"Clients that send, each into one room. They hear everything there too, and are checked like members."`
	Members    int           `default:"20" help:"Clients that only listen, each in one room."`
	Rooms      int           `default:"5" help:"Rooms; their names are new in every run."`
	Rate       float64       `default:"50" help:"Events per second, of all publishers together."`
	ClientRate float64       `default:"20" help:"Events per second that the server takes from one client (its --rate); 0 for no limit."`
	Duration   time.Duration `default:"30s" help:"How long to send. Ctrl-C ends it earlier."`
	Settle     time.Duration `default:"30s" help:"How long to wait for the last acks and deliveries after that."`
	GiveUp     time.Duration `default:"100s" help:"How long an event is sent again under its id until it counts as unacknowledged."`
	JWTKeyFile string        `name:"jwt-key-file" placeholder:"FILE" help:"File with the HS256 secret or the private key in PEM to make the clients' tokens with; also ROOMCTL_JWT_KEY with the key itself. Without one they are guests."`
	Timeout    time.Duration `default:"30s" help:"How long to wait for each connection at the start."`
	Progress   time.Duration `placeholder:"DURATION" help:"How often to print how it goes. Unless it is set: 1s on a terminal, otherwise 5s."`
	JSON       bool          `name:"json" help:"Print progress and verdict as JSON, one object per line."`
}

func (cmd *verifyCmd) run(ctx context.Context, t terminal) error {
	if err := cmd.check(); err != nil {
		return err
	}
	sign, err := cmd.signer(t)
	if err != nil {
		return err
	}
	every := cmd.Progress
	if every == 0 {
		every = progressInterval(t)
	}
	out := &reporter{printer: printer{out: t.stdout}, asJSON: cmd.JSON}
	v := newVerification(cmd, sign)
	if v.tls, err = cmd.config(); err != nil {
		return err
	}
	defer v.close()
	final, err := v.run(ctx, every, out)
	if err != nil {
		return err
	}
	out.verdict(final)
	if out.err != nil {
		return out.err
	}
	return final.fault()
}

// check names the flag of the first mistake.
func (cmd *verifyCmd) check() error {
	for _, c := range []struct {
		wrong bool
		text  string
	}{
		{cmd.Publishers < 1, "--publishers must be at least 1"},
		{cmd.Members < 0, "--members must not be negative"},
		{cmd.Rooms < 1 || cmd.Rooms > cmd.Publishers, "--rooms must be at least 1 and at most --publishers: every room needs one"},
		{!(cmd.Rate > 0) || math.IsInf(cmd.Rate, 0), "--rate must be positive"},
		{!(cmd.ClientRate >= 0), "--client-rate must not be negative"},
		{cmd.Duration <= 0, "--duration must be positive"},
		{cmd.Settle < 0, "--settle must not be negative"},
		{cmd.GiveUp <= 0 || cmd.GiveUp > maxGiveUp, fmt.Sprintf("--give-up must be positive and at most %v: later the server could store an event twice", maxGiveUp)},
		{cmd.Timeout <= 0, "--timeout must be positive"},
		{cmd.Progress < 0, "--progress must not be negative"},
	} {
		if c.wrong {
			return errors.New(c.text)
		}
	}
	if each := cmd.Rate / float64(cmd.Publishers); cmd.ClientRate > 0 && each > cmd.ClientRate {
		return fmt.Errorf("--rate %g is %g for each of the publishers, more than --client-rate %g; raise --publishers", cmd.Rate, each, cmd.ClientRate)
	}
	return nil
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
		token, err := auth.Sign(key, auth.Claims{UID: uid, Name: uid, Expires: time.Now().Add(life + cmd.Duration)})
		if err != nil {
			return "", fmt.Errorf("sign with the key of %s: %w", source, err)
		}
		return token, nil
	}
	_, err := sign("verify")
	return sign, err
}

// retryable reports whether an event may be sent again under its id, and under
// which code the server refused it; "" when it was not the server.
func retryable(err error) (code wire.Code, again bool) {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return refused.Code, refused.Code.Retryable()
	}
	return "", false
}
