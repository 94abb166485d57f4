// Package verify is a load test that checks a service's guarantees: clients
// join rooms at all its nodes, some of them publish, and the events that all
// received are compared. It detects lost, duplicate and reordered events,
// whatever happens to the service meanwhile.
package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxGiveUp keeps sending again under the same id within the 2 minutes for
// which the server knows an id: the last copy may take 5 s to be written and is
// tried for 15 s.
const maxGiveUp = 100 * time.Second

// Config is one run. The tags are the flags of roomctl verify.
type Config struct {
	URL        []string      `name:"url" sep:"," default:"ws://localhost:3000/ws" from:"ROOMCTL_URL" help:"Address of a node's WebSocket; repeat it for more. Clients are spread over them, and move on to the next when theirs is lost. Also ROOMCTL_URL."`
	Wait       time.Duration `default:"1m" help:"How long to wait until /readyz at every --url says that the node is ready; 0s does not ask."`
	Tables     bool          `help:"Check baccarat tables: each of the --rooms is one, at which --publishers bet, take back, refill, talk, lose their connections, come back, and send again. Each acknowledged bet must be in the log once, each round be settled once, and everybody's money be what the log says."`
	Prefix     string        `name:"table-prefix" default:"baccarat-" help:"With --tables: how the rooms' names begin at which baccarat is played (--tables of roomd)."`
	Publishers int           `default:"10" help:"Clients that send, each into one room. They hear everything there too, and are checked like members."`
	Members    int           `default:"20" help:"Clients that only listen, each in one room."`
	Rooms      int           `default:"5" help:"Rooms; their names are new in every run."`
	Rate       float64       `default:"50" help:"Events per second, of all publishers together."`
	ClientRate float64       `default:"20" help:"Events per second that the server takes from one client (its --rate); 0 for no limit."`
	Duration   time.Duration `default:"30s" help:"How long to send. Ctrl-C ends it earlier."`
	Settle     time.Duration `default:"30s" help:"How long to wait for the last acks and deliveries after that; with --tables also how long nothing may happen at a table whose round has bets."`
	GiveUp     time.Duration `default:"100s" help:"How long an event is sent again under its id until it counts as unacknowledged."`
	Timeout    time.Duration `default:"30s" help:"How long to wait for each connection at the start."`
	Progress   time.Duration `placeholder:"DURATION" help:"How often to print how it goes. Unless it is set: 1s on a terminal, otherwise 5s."`
	JSON       bool          `name:"json" help:"Print progress and verdict as JSON, one object per line."`

	Sign   func(uid string) (string, error) `kong:"-"` // returns a client's token; nil for guests. Called from any goroutine.
	APIKey string                           `kong:"-"` // of the HTTP API, which --tables reads the logs over; "" where it wants none
	TLS    *tls.Config                      `kong:"-"` // for wss://; nil: the system's authorities
}

// ErrBroken is wrapped by the error of a run that found a guarantee violated.
// Any other error says why there is no result.
var ErrBroken = errors.New("the promise is broken")

// Run puts the service at cfg.URL under load, and prints progress and the
// verdict to out. It waits until all nodes are ready. When ctx ends it stops
// publishing; what was published is still checked. The error is nil if every
// acknowledged event was received once and in the same order by all; else it
// wraps ErrBroken.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	if cfg.Progress == 0 {
		cfg.Progress = progressInterval(out)
	}
	report := &reporter{out: out, asJSON: cfg.JSON}
	if cfg.Tables {
		return runTables(ctx, &cfg, report)
	}
	v := newVerification(&cfg)
	defer v.close()
	final, err := v.run(ctx, report)
	if err != nil {
		return fmt.Errorf("nothing was verified: %w", err)
	}
	report.verdict(final)
	if report.err != nil {
		return report.err
	}
	return final.fault()
}

// runTables is Run with --tables.
func runTables(ctx context.Context, cfg *Config, report *reporter) error {
	r := newBetting(cfg)
	defer r.close()
	final, err := r.run(ctx, report)
	if err != nil {
		return fmt.Errorf("nothing was verified: %w", err)
	}
	report.betVerdict(final)
	if report.err != nil {
		return report.err
	}
	return final.fault()
}

// progressInterval is by who reads it.
func progressInterval(out io.Writer) time.Duration {
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return time.Second
		}
	}
	return 5 * time.Second
}

// check names the flag of the first mistake.
func (c *Config) check() error {
	if len(c.URL) == 0 {
		return errors.New("--url is missing; name at least one node")
	}
	for _, x := range []struct {
		wrong bool
		flag  string
		value any
		must  string
	}{
		{c.Wait < 0, "wait", c.Wait, "must not be negative; 0s does not wait"},
		{c.Publishers < 1, "publishers", c.Publishers, "must be at least 1"},
		{c.Members < 0, "members", c.Members, "must not be negative"},
		{c.Rooms < 1 || c.Rooms > c.Publishers, "rooms", c.Rooms, "must be at least 1 and at most --publishers: every room needs one"},
		{!(c.Rate > 0) || math.IsInf(c.Rate, 0), "rate", c.Rate, "must be positive"},
		{!(c.ClientRate >= 0), "client-rate", c.ClientRate, "must not be negative"},
		{c.Duration <= 0, "duration", c.Duration, "must be positive"},
		{c.Settle < 0, "settle", c.Settle, "must not be negative"},
		{c.GiveUp <= 0 || c.GiveUp > maxGiveUp, "give-up", c.GiveUp, fmt.Sprintf("must be positive and at most %v: later the server could store an event twice", maxGiveUp)},
		{c.Timeout <= 0, "timeout", c.Timeout, "must be positive"},
		{c.Progress < 0, "progress", c.Progress, "must not be negative"},
	} {
		if x.wrong {
			return fmt.Errorf("--%s is %v; it %s", x.flag, x.value, x.must)
		}
	}
	if each := c.Rate / float64(c.Publishers); c.ClientRate > 0 && each > c.ClientRate {
		return fmt.Errorf("--rate %g is %g for each of the publishers, more than --client-rate %g; raise --publishers", c.Rate, each, c.ClientRate)
	}
	return nil
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
