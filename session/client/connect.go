package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// connect opens one connection: login, upgrade, welcome. If it returns no
// error, the link's writer is running.
func (c *Client) connect() (*link, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.HandshakeTimeout)
	defer cancel()
	header := http.Header{}
	query, err := c.login(ctx, header)
	if err != nil {
		return nil, err
	}
	rooms := c.roomsQuery(query)
	conn, response, err := c.cfg.Dialer.DialContext(ctx, c.address(query), header)
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
			return nil, c.refused(response)
		}
		return nil, fmt.Errorf("open a WebSocket to %s: %w", c.url(), err)
	}
	conn.SetReadLimit(c.cfg.MaxReceive)
	l := newLink(c, conn, rooms)
	go l.write()
	if err := c.await(l); err != nil {
		c.drop(l)
		return nil, err
	}
	return l, nil
}

// expiredToken is the expires_in of a token that is accepted although it has
// expired, or expires within a second or two.
const expiredToken = 1

// await waits for the welcome, the first event.
func (c *Client) await(l *link) error {
	l.silence = c.cfg.HandshakeTimeout
	ev, err := l.next()
	if err != nil {
		return err
	}
	var welcome wire.Welcome
	if ev.Type != wire.TypeWelcome || json.Unmarshal(ev.Payload, &welcome) != nil {
		return finalError{fmt.Errorf("the server's first event is %q instead of welcome; is %s a room server's address?", ev.Type, c.url())}
	}
	if welcome.HeartbeatS > 0 {
		l.silence = 2 * time.Duration(welcome.HeartbeatS) * time.Second
	} else {
		l.silence = defaultSilence
	}
	if welcome.ExpiresIn != expiredToken {
		c.renewing = false
	}
	c.mu.Lock()
	c.connectedAs(welcome.UID)
	c.welcome = welcome
	c.link = l
	c.mu.Unlock()
	c.cfg.OnStatus(Status{State: Connected})
	c.cfg.OnEvent(ev)
	c.poke()
	return nil
}

// roomsQuery adds the rooms to join to the query and returns their names.
func (c *Client) roomsQuery(query url.Values) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := []string{wire.InboxAlias}
	if c.rooms.current != "" {
		query.Set("room", c.rooms.current)
		names = append(names, c.rooms.current)
	}
	var resume []byte
	for i, r := range c.rooms.resume() {
		if i > 0 {
			resume = append(resume, ',')
		}
		resume = wire.AppendResume(resume, r)
		names = append(names, r.Room)
	}
	if resume != nil {
		query.Set("resume", string(resume))
	}
	return names
}

// address returns the current address with more query parameters.
func (c *Client) address(add url.Values) string {
	u, err := url.Parse(c.url())
	if err != nil {
		return c.url() // not reached: Dial has checked it
	}
	query := u.Query()
	for name, values := range add {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// refused returns the error of an HTTP response. A guest whose token is not
// accepted any more logs in again next time.
func (c *Client) refused(response *http.Response) error {
	err := refusal(response)
	if err.Status == http.StatusUnauthorized && c.guestToken != "" {
		c.guestToken = ""
		c.mu.Lock()
		c.rooms.leave(wire.InboxAlias) // a new guest has a new inbox
		c.mu.Unlock()
		return fmt.Errorf("the guest's token is not valid any more: %s", err.Message)
	}
	return err
}

// refusal decodes the body {"error":{"code","message"}} of an HTTP response.
func refusal(response *http.Response) *RefusedError {
	const limit = 4 << 10
	body, readErr := io.ReadAll(io.LimitReader(response.Body, limit))
	refused := &RefusedError{Status: response.StatusCode, Message: http.StatusText(response.StatusCode)}
	var answer struct{ Error wire.ErrorInfo }
	if readErr == nil && json.Unmarshal(body, &answer) == nil && answer.Error.Code != "" {
		refused.Code, refused.Message = answer.Error.Code, answer.Error.Message
	}
	return refused
}
