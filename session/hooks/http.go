package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SignatureHeader of a POST is "t=<seconds since 1970>,v1=<hex>": the
// HMAC-SHA256, with Config.Key, of t, a dot, and the body.
const SignatureHeader = "Roomd-Signature"

// httpIdle is how long an idle connection to the backend is kept. Some servers
// close idle ones after 5 s; a request that is sent at that moment fails, as
// requests are not retried.
const httpIdle = 4 * time.Second

// Signature returns the value of SignatureHeader for a body.
func Signature(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + ".")) // never fails
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// httpTransport sends requests by POST.
type httpTransport struct {
	address string
	key     []byte
	client  *http.Client
}

func newHTTPTransport(address string, key []byte) *httpTransport {
	return &httpTransport{address, key, &http.Client{
		// Only the configured address may answer: redirects are not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: Timeout}).DialContext,
			MaxIdleConnsPerHost:   MaxInFlight,
			MaxConnsPerHost:       MaxInFlight,
			IdleConnTimeout:       httpIdle,
			TLSHandshakeTimeout:   Timeout,
			ForceAttemptHTTP2:     true,
			ResponseHeaderTimeout: Timeout,
			// With HTTP/2 a timeout does not close the connection: without
			// pings further requests would be sent to a host that is down.
			HTTP2: &http.HTTP2Config{SendPingTimeout: Timeout, PingTimeout: Timeout},

			MaxResponseHeaderBytes: MaxResponse,
		},
	}}
}

func (w *httpTransport) close() { w.client.CloseIdleConnections() }

func (w *httpTransport) send(ctx context.Context, body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return w.post(ctx, body) }
}

func (w *httpTransport) post(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", withoutURL(err))
	}
	r.GetBody = nil // requests are not retried
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "roomd")
	r.Header.Set(SignatureHeader, Signature(w.key, time.Now(), body))
	answer, err := w.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the URL: %w", withAdvice(withoutURL(err)))
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%w: the URL answered %s; a refusal is 200 with {\"error\":…}", errStatus, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", withoutURL(err))
	}
	return text, nil
}

// withAdvice adds what to do if the certificate's authority is not trusted.
func withAdvice(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w; if that is an authority of your own, name the file of its certificate in SSL_CERT_FILE", err)
	}
	return err
}

// withoutURL strips the URL from an error: its query may contain a secret.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
