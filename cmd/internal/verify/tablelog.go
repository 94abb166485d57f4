package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxLogPage is the most that is read of a page of the log, in bytes: one has
// 1 MiB, and an event more at the most.
const maxLogPage = 4 << 20

// logReader reads the logs of rooms over HTTP.
type logReader struct {
	client *http.Client
	key    string
	settle time.Duration
}

func newLogReader(cfg *Config) (*logReader, error) {
	for _, address := range cfg.URL {
		if _, err := cli.HTTPURL(address, ""); err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
	}
	transport := &http.Transport{TLSClientConfig: cfg.TLS.Clone(), Proxy: http.ProxyFromEnvironment}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &logReader{client: &http.Client{Transport: transport, Timeout: cfg.Timeout, CheckRedirect: stay}, key: cfg.APIKey, settle: cfg.Settle}, nil
}

func (l *logReader) close() { l.client.CloseIdleConnections() }

// page is one page of a room's log before a sequence, oldest first; 0: the newest.
func (l *logReader) page(ctx context.Context, node, room string, before uint64) (page wire.History, err error) {
	query := url.Values{}
	if before > 0 {
		query.Set("before", strconv.FormatUint(before, 10))
	}
	address, err := cli.HTTPURL(node, "/api/rooms/"+url.PathEscape(room)+"/events?"+query.Encode())
	if err != nil {
		return page, fmt.Errorf("--url: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return page, fmt.Errorf("--url: %w", err)
	}
	if l.key != "" {
		req.Header.Set("Authorization", "Bearer "+l.key)
	}
	res, err := l.client.Do(req)
	if err != nil {
		return page, fmt.Errorf("read the log of %s: %w", room, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxLogPage+1))
	switch {
	case err != nil:
		return page, fmt.Errorf("read the log of %s: %w", room, err)
	case res.StatusCode == http.StatusUnauthorized:
		return page, &logError{fmt.Errorf("%s answers %s; the log is read over HTTP: give the server's API key with --api-key-file or ROOMCTL_API_KEY", address, res.Status)}
	case res.StatusCode < http.StatusInternalServerError && res.StatusCode != http.StatusOK:
		return page, &logError{errors.New(cli.Plain(fmt.Sprintf("%s answers %s: %.200s", address, res.Status, body)))}
	case res.StatusCode != http.StatusOK:
		return page, errors.New(cli.Plain(fmt.Sprintf("%s answers %s: %.200s", address, res.Status, body)))
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return page, &logError{fmt.Errorf("%s answers what is no page of events: %w", address, err)}
	}
	return page, nil
}

// logError is one that comes again.
type logError struct{ error }

func (e *logError) Unwrap() error { return e.error }

// patiently asks for a page until it comes, for as long as --settle.
func (l *logReader) patiently(ctx context.Context, node, room string, before uint64) (wire.History, error) {
	ctx, cancel := context.WithTimeout(ctx, l.settle)
	defer cancel()
	for {
		page, err := l.page(ctx, node, room, before)
		var final *logError
		if err == nil || errors.As(err, &final) || wait(ctx, again) != nil {
			return page, err
		}
	}
}

// whole is a room's log at a node, oldest first. It waits, as long as --settle,
// until the node has it up to a sequence.
func (l *logReader) whole(ctx context.Context, node, room string, upto uint64) ([]wire.Event, error) {
	over := time.Now().Add(l.settle)
	var events []wire.Event // newest first
	for before := uint64(0); ; {
		page, err := l.patiently(ctx, node, room, before)
		if err != nil {
			return nil, err
		}
		var older []wire.Event
		for _, text := range page.Events {
			ev, err := wire.DecodeServer(text)
			if err != nil {
				return nil, fmt.Errorf("the log of %s has what is no event: %w", room, err)
			}
			older = append(older, ev)
		}
		slices.Reverse(older)
		if before == 0 && (len(older) == 0 || older[0].Seq < upto) && time.Now().Before(over) {
			if err := wait(ctx, again); err != nil {
				return nil, err
			}
			continue
		}
		events = append(events, older...)
		if !page.More || len(older) == 0 {
			slices.Reverse(events)
			return events, nil
		}
		before = older[len(older)-1].Seq
	}
}
