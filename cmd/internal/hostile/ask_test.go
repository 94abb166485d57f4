//go:build linux

package hostile

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// web is without kept connections, which would look like a leak.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// answer is what an HTTP request came to.
type answer struct {
	status int
	header http.Header
	body   string
}

// call makes one request. Header values "Host" replace the host.
func (s *server) call(ctx context.Context, method, path, body string, header map[string]string) (answer, error) {
	return ask(ctx, method, "http://"+s.addr+path, body, header)
}

func ask(ctx context.Context, method, url, body string, header map[string]string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	res, err := web.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}

// own are the headers of the operator: the API's key if there is one.
func (s *server) own() map[string]string {
	if s.apiKey == "" {
		return nil
	}
	return map[string]string{"Authorization": "Bearer " + s.apiKey}
}

// get returns what a path answers the operator with 200.
func (s *server) get(ctx context.Context, path string) (string, error) {
	got, err := s.call(ctx, http.MethodGet, path, "", s.own())
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, got.status, strings.TrimSpace(got.body))
	}
	return got.body, err
}

// post is an operator's request that must succeed.
func (s *server) post(path, body string) string {
	s.t.Helper()
	header := map[string]string{"Content-Type": "application/json"}
	maps.Copy(header, s.own())
	got, err := s.call(s.t.Context(), http.MethodPost, path, body, header)
	if err != nil || got.status/100 != 2 {
		s.t.Fatalf("POST %s: %d %s, %v", path, got.status, got.body, err)
	}
	return got.body
}

// metrics are the program's counters of its own, by name and labels. They are
// asked for again while the server is too busy to answer.
func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	values := make(map[string]float64)
	eventually(s.t, "the server tells its counters", 30*time.Second, func(ctx context.Context) error {
		s.alive()
		got, err := ask(ctx, http.MethodGet, "http://"+s.counting+"/metrics", "", s.own())
		if err != nil {
			return err
		}
		if got.status != http.StatusOK {
			return fmt.Errorf("GET /metrics: %d %s", got.status, start(got.body))
		}
		for line := range strings.Lines(got.body) {
			name, value, found := strings.Cut(strings.TrimSpace(line), " ")
			if number, err := strconv.ParseFloat(value, 64); found && err == nil && strings.HasPrefix(name, "roomd_") {
				values[name] = number
			}
		}
		return nil
	})
	return values
}
