package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

const (
	// KeyRefresh is how often an issuer's keys are fetched, with a jitter of a
	// tenth either way.
	KeyRefresh = 5 * time.Minute
	// MaxKeyAge is how long keys stay valid after they were fetched. While the
	// issuer is unreachable the cached ones are used; beyond this age no token
	// is accepted until it is back.
	MaxKeyAge = 24 * time.Hour
	// KeyMissInterval is the least time between two fetches for tokens with an
	// unknown kid.
	KeyMissInterval = 10 * time.Second
	// MaxKeySet is the most bytes of a JWKS document that is fetched, and
	// MaxKeys the most keys in it; a larger one is a failed fetch.
	MaxKeySet = 256 << 10
	MaxKeys   = 100

	keyTimeout   = 5 * time.Second  // of one fetch
	keyWait      = 2 * time.Second  // of a login for a fetch
	keyRetry     = time.Second      // after a fetch that failed, doubled with each
	keyRetryMax  = 30 * time.Second // up to this
	keyRedirects = 3
)

// KeySet caches the keys of an issuer of tokens, which it fetches from its JWKS
// document, and refreshes. Its methods may be called from any goroutine.
type KeySet struct {
	// fixed
	address string
	client  *http.Client
	log     zerolog.Logger
	stop    context.CancelFunc
	done    chan struct{}              // closed when the refreshing goroutine has ended
	wake    chan struct{}              // requests a fetch
	tick    time.Duration              // KeyRefresh, except in tests
	now     func() time.Time           // time.Now, except in tests
	known   atomic.Pointer[fetchedKey] // nil: no fetch has succeeded yet
	stats   KeyStats

	mu      sync.Mutex
	pending chan struct{} // closed when the requested fetch has ended; nil: none was requested
	tried   time.Time     // when the last fetch ended
	failed  error         // of the last fetch
}

// fetchedKey is the keys and when they were fetched.
type fetchedKey struct {
	key Key
	at  time.Time
}

// KeyStats are the counters of a KeySet. They may be read from any goroutine.
type KeyStats struct {
	Fetched     atomic.Int64 // successful fetches
	FetchErrors atomic.Int64 // failed fetches
	FetchSaved  atomic.Int64 // tokens with an unknown kid that came within KeyMissInterval of a fetch
	Outdated    atomic.Int64 // tokens refused with 503, as no keys younger than MaxKeyAge were cached
}

// NewKeySet fetches the keys at an https URL, or http on a loopback host, and
// refreshes them until Close. It returns after the first fetch, whether that
// succeeded or not: an issuer that is unreachable is no error; tokens are then
// refused as ErrUnavailable until it is back. ctx bounds the first fetch. The
// error says what is wrong with the address.
func NewKeySet(ctx context.Context, address string, log zerolog.Logger) (*KeySet, error) {
	s, err := newKeySet(address, log)
	if err != nil {
		return nil, err
	}
	s.start(ctx)
	return s, nil
}

func newKeySet(address string, log zerolog.Logger) (*KeySet, error) {
	u, err := parseKeyURL(address)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // there is one request every few minutes
	transport.MaxResponseHeaderBytes = 64 << 10
	s := &KeySet{
		address: address, log: log.With().Str("keys", u.Scheme+"://"+u.Host+u.Path).Logger(),
		client: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		done:   make(chan struct{}), wake: make(chan struct{}, 1), tick: KeyRefresh, now: time.Now,
	}
	return s, nil
}

// start fetches once, and starts the goroutine that refreshes.
func (s *KeySet) start(ctx context.Context) {
	s.fetch(ctx)
	refreshing, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.refresh(refreshing)
}

// CheckKeyURL returns an error if address is not valid for NewKeySet.
func CheckKeyURL(address string) error {
	_, err := parseKeyURL(address)
	return err
}

func parseKeyURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil { // its text may contain a password
		return nil, errors.New("auth: the address of the keys is no URL; write one such as https://login.example.com/.well-known/jwks.json")
	}
	return u, checkKeyURL(u)
}

// checkKeyURL refuses a URL whose answer could be tampered with on the way.
func checkKeyURL(u *url.URL) error {
	switch {
	case u.Host == "":
		return errors.New("auth: the address of the keys has no host; write one such as https://login.example.com/.well-known/jwks.json")
	case u.User != nil:
		return errors.New("auth: the address of the keys holds a password; keys are public, and need none")
	case u.Scheme == "https", u.Scheme == "http" && localHost(u.Hostname()):
		return nil
	}
	return fmt.Errorf("auth: the keys at %s://%s could be changed on the way, and with them who may come in; use https (http only on this machine)", u.Scheme, u.Host)
}

func localHost(host string) bool {
	if host = strings.ToLower(host); host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > keyRedirects {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("redirected from https to " + r.URL.Scheme)
	}
	return checkKeyURL(r.URL)
}

// Close stops refreshing, and waits until it has stopped. The cached keys stay
// in use.
func (s *KeySet) Close() {
	s.stop()
	<-s.done
}

// Stats returns the counters, which may be read at any time.
func (s *KeySet) Stats() *KeyStats { return &s.stats }

// choose is a jwt.Keyfunc. For an unknown kid it requests a fetch, and waits
// for it for up to keyWait.
func (s *KeySet) choose(token *jwt.Token) (any, error) {
	known, failed := s.fresh(), error(nil)
	if known != nil {
		if known.key.has(token) {
			return known.key.choose(token)
		}
		failed = s.refetch()
		known = s.fresh()
	}
	switch {
	case known == nil:
		s.stats.Outdated.Add(1)
		return nil, Unavailable("check a token", errors.New("the keys of its issuer could not be fetched"))
	case failed != nil && !known.key.has(token): // the kid may be that of a new key
		return nil, Unavailable("check a token of a key that is not known", failed)
	}
	return known.key.choose(token)
}

// fresh returns the cached keys; nil if there are none, or they are older than
// MaxKeyAge.
func (s *KeySet) fresh() *fetchedKey {
	known := s.known.Load()
	if known == nil || s.now().Sub(known.at) > MaxKeyAge {
		return nil
	}
	return known
}

var errKeyWait = errors.New("the issuer of the keys takes long to answer")

// refetch requests a fetch and waits for it, unless the last one was within
// KeyMissInterval. It returns the error of that fetch.
func (s *KeySet) refetch() error {
	s.mu.Lock()
	if s.pending == nil {
		if s.now().Sub(s.tried) < KeyMissInterval {
			defer s.mu.Unlock()
			s.stats.FetchSaved.Add(1)
			return s.failed
		}
		s.pending = make(chan struct{})
		select {
		case s.wake <- struct{}{}:
		default: // a fetch is requested already
		}
	}
	pending := s.pending
	s.mu.Unlock()
	timeout := time.NewTimer(keyWait)
	defer timeout.Stop()
	select {
	case <-pending:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failed
	case <-timeout.C:
		return errKeyWait
	case <-s.done:
		return errKeyWait
	}
}

// refresh fetches the keys periodically and on request, until ctx ends.
func (s *KeySet) refresh(ctx context.Context) {
	defer close(s.done)
	retry := keyRetry
	for {
		wait := s.tick + time.Duration((rand.Float64()-0.5)/5*float64(s.tick))
		if s.lastError() != nil {
			wait = min(retry, s.tick)
			retry = min(2*retry, keyRetryMax)
		} else {
			retry = keyRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		s.fetch(ctx)
	}
}

func (s *KeySet) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fetch fetches the keys. If that fails, the cached ones stay.
func (s *KeySet) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	key, err := s.get(ctx)
	before := s.known.Load()
	if err == nil {
		s.stats.Fetched.Add(1)
		s.known.Store(&fetchedKey{key, s.now()})
	} else if !errors.Is(ctx.Err(), context.Canceled) { // closed
		s.stats.FetchErrors.Add(1)
	}
	s.mu.Lock()
	failedBefore := s.failed
	s.failed, s.tried = err, s.now()
	if s.pending != nil {
		close(s.pending)
		s.pending = nil
	}
	s.mu.Unlock()
	s.report(err, failedBefore, before)
}

// report logs when fetches begin to fail, and when they succeed again.
func (s *KeySet) report(err, failedBefore error, before *fetchedKey) {
	switch {
	case err != nil && failedBefore == nil && before == nil:
		s.log.Error().Err(err).Msg("the keys of the tokens' issuer cannot be fetched (--jwks-url); until they can, tokens are answered with 503")
	case err != nil && failedBefore == nil:
		s.log.Warn().Err(err).Stringer("kept_for", MaxKeyAge).Msg("the keys of the tokens' issuer cannot be fetched (--jwks-url); those that are known go on to count")
	case err == nil && failedBefore != nil:
		s.log.Info().Int("keys_known", len(s.known.Load().key.keys)).Msg("the keys of the tokens' issuer can be fetched again")
	}
}

// get makes one request.
func (s *KeySet) get(ctx context.Context) (Key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address, nil)
	if err != nil {
		return Key{}, fmt.Errorf("auth: fetch keys: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return Key{}, fmt.Errorf("auth: fetch keys: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Key{}, fmt.Errorf("auth: fetch keys: the issuer answers %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, MaxKeySet+1))
	if err != nil {
		return Key{}, fmt.Errorf("auth: fetch keys: %w", err)
	}
	if len(data) > MaxKeySet {
		return Key{}, fmt.Errorf("auth: fetch keys: the document has more than %d bytes", MaxKeySet)
	}
	return parseIssuerKeys(data)
}
