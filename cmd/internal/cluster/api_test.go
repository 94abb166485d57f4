//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func roomPath(room string) string { return "/api/rooms/" + url.PathEscape(room) }
func userPath(uid string) string  { return "/api/users/" + url.PathEscape(uid) }

// ask sends a request to the HTTP API, with a body unless it is nil, and
// decodes the answer. Anything but 200 is an error.
func (x *node) ask(ctx context.Context, method, path string, body, answer any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address(x.port)+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	res, err := web.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %s answers %s %s, %w", x.name, method, path, res.Status, text, err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s: %s %s answers %s: %w", x.name, method, path, text, err)
	}
	return nil
}

// count is how many users a node counts in a room.
func (x *node) count(ctx context.Context, room string) (int, error) {
	var page wire.OnlineUsers
	err := x.ask(ctx, http.MethodGet, roomPath(room)+"/members?limit=1", nil, &page)
	return page.Count, err
}

// present lists the users of a room, sorted, page by page.
func (x *node) present(ctx context.Context, room string) ([]string, error) {
	var uids []string
	for after, count := "", 0; ; {
		var page wire.OnlineUsers
		if err := x.ask(ctx, http.MethodGet, roomPath(room)+"/members?after="+url.QueryEscape(after), nil, &page); err != nil {
			return nil, err
		}
		for _, u := range page.List {
			uids = append(uids, u.UID)
		}
		if after, count = page.Next, page.Count; after != "" {
			continue
		}
		if count != len(uids) {
			return nil, fmt.Errorf("%s counts %d and lists %d", x.name, count, len(uids))
		}
		slices.Sort(uids)
		return uids, nil
	}
}
