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

// Client is one user's connection to the server, which it reestablishes when it
// is lost. Dial returns one; its methods may be called from any goroutine.
type Client struct {
	// fixed after Dial
	cfg      Config
	ctx      context.Context // ends with the Client
	cancel   context.CancelCauseFunc
	idPrefix string
	wake     chan struct{} // wakes the writer; buffered by one
	done     chan struct{}

	// owned by the goroutine that connects: Dial's, then the reader's
	backoff    backoff
	guestToken string
	at         int       // index of the current address in cfg.addresses()
	notBefore  time.Time // the server asked to reconnect then; zero: it did not
	renewing   bool      // a new token was requested, as the last one had expired, and none was accepted yet

	// guarded by mu
	mu      sync.Mutex
	ids     uint64
	outbox  *outbox
	rooms   *tracker
	link    *link       // nil while there is no connection
	expiry  *time.Timer // calls expire; stopped while nothing can expire
	welcome wire.Welcome
	ended   bool
	err     error
}

// Dial connects and returns after the server's welcome. The first rooms are
// joined after that, before the answer to any request. The first connect is
// tried once at each address: the error is that of the last, a *RefusedError if
// the server answered. ctx bounds only this call; its values are passed to
// Config.Token. Afterwards the Client reconnects by itself, until Close is
// called, or the server says that this is pointless: see
// wire.CloseCode.Reconnect, and the HTTP statuses 400, 401 and 403. If the
// token has expired (4500) Config.Token is called for a new one once.
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
	c.expiry.Stop() // until an event is unacknowledged
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })
	cfg.OnStatus(Status{State: Connecting})
	l, err := c.first()
	if !stop() { // ctx has ended, and so has the Client
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

// first connects to the first address that accepts the connection.
func (c *Client) first() (*link, error) {
	for {
		l, err := c.connect()
		if err == nil || isFinal(err) || c.at == len(c.cfg.Others) || c.ctx.Err() != nil {
			return l, err
		}
		c.at++
	}
}

// url returns the current address.
func (c *Client) url() string { return c.cfg.addresses()[c.at] }

// Close sends a close frame, and returns when both goroutines have ended.
// Pending requests fail with ErrClosed. It may be called again, but not from a
// callback.
func (c *Client) Close() {
	c.cancel(ErrClosed)
	<-c.done
}

// Reconnect gives up the connection, if there is one, as if it had been lost: the
// Client connects again, at the next address, and resumes. It does not wait for
// that. It is for who knows that a connection is no good any more before its
// silence says so, as when the machine has changed networks.
func (c *Client) Reconnect() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.fail(errAsked)
	}
}

var errAsked = errors.New("the program asked for another connection")

// Done returns a channel that is closed when the Client has ended; Err then
// says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil until the Client has ended. Then it returns ErrClosed after
// Close, or why the server refused it: a *ClosedError or *RefusedError.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Welcome returns the first event of the latest connection, which says who the
// client is.
func (c *Client) Welcome() wire.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

// Position returns the position in room: that of the last event that was passed
// to OnEvent. It returns false if the room is not joined.
func (c *Client) Position(room string) (wire.Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.rooms.joined[trackName(room)]
	return p, ok
}

// run is the reader goroutine. It reads one connection after the other.
func (c *Client) run(l *link) {
	defer close(c.done)
	for {
		start := time.Now()
		err := c.read(l)
		c.drop(l)
		c.backoff.connectionEnded(time.Since(start))
		if l, err = c.reconnect(err); err != nil {
			c.end(err)
			return
		}
	}
}

// reconnect retries with backoff until it is connected; its error is final.
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

// renews reports whether a connection ended because its token expired, and
// Config.Token may return a new one. That is tried once.
func (c *Client) renews(why error) bool {
	var closed *ClosedError
	if c.cfg.Token == nil || c.renewing || !errors.As(why, &closed) || closed.Code != wire.CloseTokenExpired {
		return false
	}
	c.renewing = true
	return true
}

// delay returns the delay that the server asked for, once, or else the backoff.
func (c *Client) delay() time.Duration {
	if c.notBefore.IsZero() {
		return c.backoff.next()
	}
	delay := max(0, time.Until(c.notBefore))
	c.notBefore = time.Time{}
	return delay
}

// drop closes a connection and waits for its writer.
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
	default: // it will be woken anyway
	}
}
