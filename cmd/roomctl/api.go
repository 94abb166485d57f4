package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	apiKeyVariable = "ROOMCTL_API_KEY"
	// maxAnswer is the most that is read of an answer, in bytes: a page of
	// events has 1 MiB, and an event more at the most.
	maxAnswer = 4 << 20
)

// api is the flags of the commands that ask the HTTP API: they look into a room
// without entering it, so that nobody there sees them.
type api struct {
	trust
	URL        string        `name:"url" default:"ws://localhost:3000/ws" from:"ROOMCTL_URL" help:"Address of the server, as for the other commands; its HTTP API is asked. Also ROOMCTL_URL."`
	APIKeyFile string        `name:"api-key-file" placeholder:"FILE" help:"File with the server's API key; also ROOMCTL_API_KEY with the key itself. A server without any key answers on its own machine."`
	Timeout    time.Duration `default:"30s" help:"How long to wait for each answer."`
}

// roomAPI asks about one room, or all.
type roomAPI struct {
	client  *http.Client
	address string // of the room or all rooms
	key     string // "": none
}

// room prepares to ask about a room. The caller closes it.
func (a *api) room(t terminal, name string) (*roomAPI, error) {
	room, err := wire.ParseRoom(name)
	if err != nil {
		return nil, fmt.Errorf("ROOM %q: %w", name, err)
	}
	return a.below(t, "/api/rooms/"+url.PathEscape(string(room)))
}

// below prepares to ask about what is at a path of the API, and below it.
func (a *api) below(t terminal, path string) (*roomAPI, error) {
	if a.Timeout <= 0 {
		return nil, fmt.Errorf("--timeout is %v; it must be positive", a.Timeout)
	}
	address, err := cli.HTTPURL(a.URL, path)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	trusted, err := a.config()
	if err != nil {
		return nil, err
	}
	key, err := a.key(t)
	if err != nil {
		return nil, err
	}
	// No redirect is followed: the answer is to come from --url.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	transport := &http.Transport{TLSClientConfig: trusted, Proxy: http.ProxyFromEnvironment}
	return &roomAPI{client: &http.Client{Transport: transport, Timeout: a.Timeout, CheckRedirect: stay}, address: address, key: key}, nil
}

func (a *api) key(t terminal) (string, error) {
	if a.APIKeyFile == "" {
		return strings.TrimSpace(t.env[apiKeyVariable]), nil
	}
	data, err := os.ReadFile(a.APIKeyFile)
	if err != nil {
		return "", fmt.Errorf("--api-key-file: %w", err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("--api-key-file: %s does not hold one key", a.APIKeyFile)
	}
	return key, nil
}

func (r *roomAPI) close() { r.client.CloseIdleConnections() }

// get asks for what is at the address with the path what behind it, and decodes
// it into answer.
func (r *roomAPI) get(ctx context.Context, what string, query url.Values, answer any) error {
	return r.ask(ctx, http.MethodGet, what, query, answer)
}

// ask is get with another method.
func (r *roomAPI) ask(ctx context.Context, method, what string, query url.Values, answer any) error {
	address := r.address + what
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if res.StatusCode != http.StatusOK {
		return refusal(address, res, body)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("%s answered more than %d bytes; is --url a roomd?", address, maxAnswer)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s answered what is not of the API: %.100q; is --url a roomd?", address, body)
	}
	return nil
}

// refusal says what the server said, and what to do where that is known.
func refusal(address string, res *http.Response, body []byte) error {
	var said struct{ Error wire.ErrorInfo }
	if json.Unmarshal(body, &said) != nil || said.Error.Code == "" {
		return fmt.Errorf("%s answers %s; is --url a roomd, and does what is in front of it pass /api on?", address, res.Status)
	}
	err := errors.New(cli.Plain(fmt.Sprintf("%s answers %d %s: %s", address, res.StatusCode, said.Error.Code, said.Error.Message)))
	if res.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%w; give the server's API key with --api-key-file or %s (with a user's token, enter and look: roomctl join ROOM --last N)", err, apiKeyVariable)
	}
	return err
}
