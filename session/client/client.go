package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Client is one user's connection to the server, over however many
// WebSockets. Dial makes one; its methods may be called from any goroutine.
type Client struct {
	// fixed after Dial
	cfg      Config
	ctx      context.Context // of the Client's life
	cancel   context.CancelCauseFunc
	idPrefix string
	wake     chan struct{} // the writer has something to look at; holds one
	done     chan struct{}

	// owned by the goroutine that connects: Dial's, then the reader's
	backoff    backoff
	guestToken string
	at         int       // where to connect, in cfg.addresses()
	notBefore  time.Time // the server asked to come back then; zero: it did not
	renewing   bool      // a fresh token was asked for, because the last one had ended, and none has come yet

	// guarded by mu
	mu      sync.Mutex
	ids     uint64
	outbox  *outbox
	rooms   *tracker
	link    *link       // nil while there is no connection
	expiry  *time.Timer // for expire; while there is nothing to end it does nothing
	welcome wire.Welcome
	ended   bool
	err     error
}

// Dial connects and returns when the server has said welcome; the first rooms
// follow, and an answer to any request means that they have been joined. The
// first connect is not tried again, but at the other addresses: the last
// failure is the error, a *RefusedError when the server answered it. ctx bounds
// this call and nothing after it; its values are those of Config.Token's context.
// From then on the Client reconnects by itself, until Close is called, or the
// server says that it is of no use: see wire.CloseCode.Reconnect, and the HTTP
// statuses 400, 401 and 403. When the token has ended (4500) Config.Token is asked
// once for a fresh one first.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg:      cfg,
		idPrefix: rand.Text()[:10] + "-",
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		backoff:  backoff{min: cfg.MinBackoff, max: cfg.MaxBackoff},
		outbox:   newOutbox(cfg.Outbox),
		rooms:    newTracker(cfg.Room),
	}
	c.expiry = time.AfterFunc(time.Hour, c.onExpiry)
	c.expiry.Stop() // until something was written and not answered
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })
	cfg.OnStatus(Status{State: Connecting})
	l, err := c.first()
	if !stop() { // ctx has ended, and the Client with it
		err = context.Cause(ctx)
		if l != nil {
			c.drop(l)
		}
	}
	if err != nil {
		c.cancel(ErrClosed)
		cfg.OnStatus(Status{State: Ended, Err: err})
		return nil, fmt.Errorf("client: connect to %s: %w", c.url(), err)
	}
	go c.run(l)
	return c, nil
}

// first connects to the first address that takes us.
func (c *Client) first() (*link, error) {
	for {
		l, err := c.connect()
		if err == nil || isFinal(err) || c.at == len(c.cfg.Others) || c.ctx.Err() != nil {
			return l, err
		}
		c.at++
	}
}

// url is where to connect.
func (c *Client) url() string { return c.cfg.addresses()[c.at] }

// Close tells the server, ends both goroutines and then returns. Requests that
// wait fail with ErrClosed. It may be called again, but not from a callback.
func (c *Client) Close() {
	c.cancel(ErrClosed)
	<-c.done
}

// Done is closed when the Client has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil while the Client lives. Then it is ErrClosed after Close, or what
// the server said: a *ClosedError or *RefusedError.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Welcome is the first event of the latest connection: who we are there.
func (c *Client) Welcome() wire.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

// Position is how far room was read: up to and with the event that OnEvent was
// handed last. False when it is not joined.
func (c *Client) Position(room string) (wire.Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.rooms.joined[trackName(room)]
	return p, ok
}

// run reads one connection after the other. It is the reader goroutine.
func (c *Client) run(l *link) {
	defer close(c.done)
	for {
		start := time.Now()
		err := c.read(l)
		c.drop(l)
		c.backoff.lasted(time.Since(start))
		if l, err = c.reconnect(err); err != nil {
			c.end(err)
			return
		}
	}
}

// reconnect waits and connects until it works; its error is final.
func (c *Client) reconnect(why error) (*link, error) {
	for {
		if c.ctx.Err() != nil {
			return nil, context.Cause(c.ctx)
		}
		if isFinal(why) && !c.renews(why) {
			return nil, why
		}
		c.at = (c.at + 1) % (len(c.cfg.Others) + 1)
		delay := c.delay()
		c.cfg.OnStatus(Status{State: Reconnecting, Err: why, Delay: delay})
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return nil, context.Cause(c.ctx)
		}
		l, err := c.connect()
		if err == nil {
			return l, nil
		}
		why = err
	}
}

// renews reports whether a connection ended because its token did, and there may
// be a fresh one; it is asked for once.
func (c *Client) renews(why error) bool {
	var closed *ClosedError
	if c.cfg.Token == nil || c.renewing || !errors.As(why, &closed) || closed.Code != wire.CloseTokenExpired {
		return false
	}
	c.renewing = true
	return true
}

// delay is what the server asked for, once, or the backoff.
func (c *Client) delay() time.Duration {
	if c.notBefore.IsZero() {
		return c.backoff.next()
	}
	delay := max(0, time.Until(c.notBefore))
	c.notBefore = time.Time{}
	return delay
}

// drop takes a connection out of use and waits for its writer.
func (c *Client) drop(l *link) {
	l.end()
	c.mu.Lock()
	c.link = nil
	lost := c.outbox.rewind()
	c.expire(time.Now())
	c.mu.Unlock()
	for _, r := range lost {
		r.finish(ErrNotConnected)
	}
}

func (c *Client) end(err error) {
	var final finalError
	if errors.As(err, &final) {
		err = final.error
	}
	c.cancel(err)
	c.mu.Lock()
	c.ended, c.err = true, err
	left := c.outbox.drain()
	c.expiry.Stop()
	c.mu.Unlock()
	for _, r := range left {
		r.finish(r.failed(err))
	}
	c.cfg.OnStatus(Status{State: Ended, Err: err})
}

func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}
