package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// login adds the credential to header, or a guest's profile to the returned
// query.
func (c *Client) login(ctx context.Context, header http.Header) (url.Values, error) {
	query := url.Values{}
	token := c.guestToken
	switch {
	case c.cfg.Token != nil:
		var err error
		token, err = c.cfg.Token(ctx)
		if err = wire.ErrorOrNil(err); err != nil {
			return nil, fmt.Errorf("get a token: %w", err)
		}
	case token == "":
		var err error
		if token, err = c.guestLogin(ctx); err != nil {
			return nil, err
		}
		c.guestToken = token
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	} else if c.cfg.Username != "" || c.cfg.AvatarID != "" {
		query.Set("username", c.cfg.Username)
		query.Set("avatar_id", c.cfg.AvatarID)
	}
	return query, nil
}

// guestLogin requests the token with which a guest keeps its uid across
// reconnects. It returns "" if the server has no POST /login, as a program that
// mounts only the WebSocket.
func (c *Client) guestLogin(ctx context.Context) (string, error) {
	body, err := json.Marshal(map[string]string{"username": c.cfg.Username, "avatar_id": c.cfg.AvatarID})
	if err != nil {
		return "", fmt.Errorf("encode the guest's login: %w", err)
	}
	address := loginAddress(c.url())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("log in as a guest at %s: %w", address, err)
	}
	request.Header.Set("Content-Type", "application/json")
	dialer := c.cfg.Dialer
	transport := &http.Transport{
		DialContext: dialer.NetDialContext, DialTLSContext: dialer.NetDialTLSContext,
		TLSClientConfig: dialer.TLSClientConfig, Proxy: dialer.Proxy, DisableKeepAlives: true,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("log in as a guest at %s: %w", address, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "", nil
	default:
		return "", refusal(response)
	}
	var answer struct{ Token string }
	if err := json.NewDecoder(http.MaxBytesReader(nil, response.Body, 64<<10)).Decode(&answer); err != nil {
		return "", fmt.Errorf("log in as a guest at %s: the answer: %w", address, err)
	}
	return answer.Token, nil
}

// loginAddress returns the URL of /login beside that of the WebSocket.
func loginAddress(ws string) string {
	u, err := url.Parse(ws)
	if err != nil {
		return ws // not reached: Dial has checked it
	}
	u.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	u.Path = path.Join("/", path.Dir(u.Path), "login")
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}
