package verify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
)

const (
	// askTimeout bounds one question for /readyz.
	askTimeout = 5 * time.Second
	// askAgain is the pause before it is asked again.
	askAgain = 200 * time.Millisecond
	// maxAnswer is the most that is read of an answer, and maxReason what is
	// shown of it, in bytes.
	maxAnswer = 4096
	maxReason = 200
)

// awaitReady returns when every node is ready, or has no /readyz (then
// connecting will show). With each tick it tells which are not; the error of
// that ends the waiting.
func awaitReady(ctx context.Context, cfg *Config, ticks <-chan time.Time, tell func(waiting string) error) error {
	if cfg.Wait == 0 {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, cfg.Wait)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: cfg.TLS.Clone(), Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	asker := &http.Client{Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	waits := newWaits(cfg.URL)
	failed := make(chan error, len(cfg.URL))
	var all sync.WaitGroup
	for _, url := range cfg.URL {
		all.Go(func() {
			if err := waits.untilReady(limit, asker, url); err != nil {
				cancel() // one that will not be there is enough
				failed <- err
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for {
		select {
		case <-ticks:
			if err := tell(waits.String()); err != nil {
				cancel()
				<-done
				return err
			}
		case <-done:
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case len(failed) > 0:
				return <-failed
			case waits.String() != "":
				return fmt.Errorf("not ready within --wait %v: %s", cfg.Wait, waits)
			}
			return nil
		}
	}
}

// waits holds the nodes that are not ready, and why.
type waits struct {
	order []string

	mu  sync.Mutex
	why map[string]error // nil: it is ready
}

func newWaits(urls []string) *waits {
	w := &waits{order: slices.Compact(slices.Sorted(slices.Values(urls))), why: make(map[string]error)}
	for _, url := range urls {
		w.why[url] = fmt.Errorf("%s has not answered yet", url)
	}
	return w
}

// untilReady polls until the node is ready or ctx ends; the error is a
// permanent one.
func (w *waits) untilReady(ctx context.Context, asker *http.Client, url string) error {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		err := askReady(ctx, asker, url)
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) || errors.Is(err, errAddress) {
			return fmt.Errorf("--url %s: %w", url, err)
		}
		if ctx.Err() != nil && err != nil {
			return nil // what was seen before says more than the end of the waiting
		}
		w.note(url, err)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

var errAddress = errors.New("not an address")

// askReady requests /readyz once.
func askReady(ctx context.Context, asker *http.Client, url string) error {
	address, err := cli.HTTPURL(url, "/readyz")
	if err != nil {
		return fmt.Errorf("%w: %w", errAddress, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errAddress, err)
	}
	res, err := asker.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < http.StatusInternalServerError {
		return nil // 200, or who answers knows no /readyz
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s answers %s", address, res.Status)
	}
	var said struct{ Reason string }
	if json.Unmarshal(body, &said) == nil && said.Reason != "" {
		return fmt.Errorf("%s answers %s: %.*s", address, res.Status, maxReason, said.Reason)
	}
	return fmt.Errorf("%s answers %s: %.*q", address, res.Status, maxReason, body)
}

func (w *waits) note(url string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why[url] = err
}

// String names the nodes that are not ready, sorted by address.
func (w *waits) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var parts []string
	for _, url := range w.order {
		if err := w.why[url]; err != nil {
			parts = append(parts, err.Error())
		}
	}
	return strings.Join(parts, "; ")
}
