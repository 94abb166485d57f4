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

// SignatureHeader of a posted question is "t=<seconds since 1970>,v1=<hex>":
// HMAC-SHA256, with Config.Key, of t, a dot, and the body.
const SignatureHeader = "Roomd-Signature"

// httpIdle is how long a connection to the backend is kept without a question.
// Some servers close theirs after 5 s, and a question that crosses with that is
// lost, as nothing is asked twice.
const httpIdle = 4 * time.Second

// Signature is the value of SignatureHeader for a body.
func Signature(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + ".")) // never fails
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// httpWay asks by POST.
type httpWay struct {
	address string
	key     []byte
	client  *http.Client
}

func newHTTPWay(address string, key []byte) *httpWay {
	return &httpWay{address, key, &http.Client{
		// What answers is the address that was given, not whom it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: Timeout}).DialContext,
			MaxIdleConnsPerHost:   MaxAsking,
			MaxConnsPerHost:       MaxAsking,
			IdleConnTimeout:       httpIdle,
			TLSHandshakeTimeout:   Timeout,
			ForceAttemptHTTP2:     true,
			ResponseHeaderTimeout: Timeout,
			// A question that times out does not end its connection with HTTP/2:
			// without a ping all of them would go on to a host that is gone.
			HTTP2: &http.HTTP2Config{SendPingTimeout: Timeout, PingTimeout: Timeout},

			MaxResponseHeaderBytes: MaxAnswer,
		},
	}}
}

func (w *httpWay) close() { w.client.CloseIdleConnections() }

func (w *httpWay) ask(ctx context.Context, body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return w.post(ctx, body) }
}

func (w *httpWay) post(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", plain(err))
	}
	r.GetBody = nil // it is asked once
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "roomd")
	r.Header.Set(SignatureHeader, Signature(w.key, time.Now(), body))
	answer, err := w.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the URL: %w", withAdvice(plain(err)))
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the URL answered %s; a refusal is 200 with {\"error\":…}", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", plain(err))
	}
	return text, nil
}

// withAdvice says what to do about a certificate that nobody known has signed.
func withAdvice(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w; if that is an authority of your own, name the file of its certificate in SSL_CERT_FILE", err)
	}
	return err
}

// plain is an error without the URL, whose query may hold a secret.
func plain(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
