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
	// KeyRefresh is how often an issuer's keys are fetched anew, give or take a tenth.
	KeyRefresh = 5 * time.Minute
	// MaxKeyAge is how long keys count after they were fetched last. While the issuer is away those that are known go on to do;
	// beyond this age no token is accepted until it is back.
	MaxKeyAge = 24 * time.Hour
	// KeyAskEvery is the least time between two fetches because tokens name keys that are not known.
	KeyAskEvery = 10 * time.Second
	// MaxKeySet is the size of a JWKS document that is fetched, in bytes, and MaxKeys of how many keys; a larger one counts as a
	// failure to fetch it.
	MaxKeySet = 256 << 10
	MaxKeys   = 100

	keyTimeout   = 5 * time.Second  // of one fetch
	keyWait      = 2 * time.Second  // of a login for a fetch
	keyRetry     = time.Second      // after a fetch that failed, doubled with each
	keyRetryMost = 30 * time.Second // up to this
	keyRedirects = 3
)

// KeySet is the keys of an issuer of tokens, fetched from its JWKS document and followed when they change. What was fetched is kept
// in memory. Its methods may be called from any goroutine.
type KeySet struct {
	// fixed
	address string
	client  *http.Client
	log     zerolog.Logger
	stop    context.CancelFunc
	done    chan struct{}         // closed when fetching has ended
	wake    chan struct{}         // a login wants a fetch
	tick    time.Duration         // KeyRefresh, except in tests
	now     func() time.Time      // time.Now, except in tests
	known   atomic.Pointer[keyed] // nil: nothing was fetched yet
	stats   KeyStats

	mu      sync.Mutex
	pending chan struct{} // closed when the fetch that a login wants has ended; nil: none wants one
	tried   time.Time     // end of the last fetch
	failed  error         // of the last fetch
}

// keyed is a set of keys and when it was fetched.
type keyed struct {
	key Key
	at  time.Time
}

// KeyStats counts what a KeySet did. Any goroutine may read.
type KeyStats struct {
	Fetched     atomic.Int64 // key sets that came
	FetchErrors atomic.Int64 // fetches that failed
	FetchSaved  atomic.Int64 // tokens of unknown keys that came too soon after a fetch for another
	Outdated    atomic.Int64 // tokens refused with 503, as no keys are known that are not too old
}

// NewKeySet fetches the keys at a URL of https, or of http on a loopback host, and goes on to do so until Close. When it returns
// the first fetch has ended, whether it has succeeded or not: an issuer that is away is no error, tokens are then refused as
// ErrUnavailable until it is back. The error says what is wrong with the address.
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
	transport.DisableKeepAlives = true // one request in minutes
	transport.MaxResponseHeaderBytes = 64 << 10
	s := &KeySet{
		address: address, log: log.With().Str("keys", u.Scheme+"://"+u.Host+u.Path).Logger(),
		client: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		done:   make(chan struct{}), wake: make(chan struct{}, 1), tick: KeyRefresh, now: time.Now,
	}
	return s, nil
}

// start fetches once and then beside the caller.
func (s *KeySet) start(ctx context.Context) {
	s.fetch(ctx)
	following, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.follow(following)
}

// CheckKeyURL says what is wrong with the address of a KeySet.
func CheckKeyURL(address string) error {
	_, err := parseKeyURL(address)
	return err
}

func parseKeyURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil { // whose text may hold a password
		return nil, errors.New("auth: the address of the keys is no URL; write one such as https://login.example.com/.well-known/jwks.json")
	}
	return u, checkKeyURL(u)
}

// checkKeyURL refuses what anybody on the way could change.
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

// Close ends fetching and waits for it. What is known stays.
func (s *KeySet) Close() {
	s.stop()
	<-s.done
}

// Stats are the counters; they may be read at any time.
func (s *KeySet) Stats() *KeyStats { return &s.stats }

// choose is a jwt.Keyfunc. For a key that is not known it has the keys fetched, which it waits for.
func (s *KeySet) choose(token *jwt.Token) (any, error) {
	known, failed := s.fresh(), error(nil)
	if known != nil {
		if known.key.names(token) {
			return known.key.choose(token)
		}
		failed = s.again()
		known = s.fresh()
	}
	switch {
	case known == nil:
		s.stats.Outdated.Add(1)
		return nil, Unavailable("check a token", errors.New("the keys of its issuer could not be fetched"))
	case failed != nil && !known.key.names(token): // it may be a new key
		return nil, Unavailable("check a token of a key that is not known", failed)
	}
	return known.key.choose(token)
}

// fresh is what is known, unless it is too old.
func (s *KeySet) fresh() *keyed {
	known := s.known.Load()
	if known == nil || s.now().Sub(known.at) > MaxKeyAge {
		return nil
	}
	return known
}

var errKeyWait = errors.New("the issuer of the keys takes long to answer")

// again has the keys fetched, unless they just were, and waits for that. The error is why they are not known as of now.
func (s *KeySet) again() error {
	s.mu.Lock()
	if s.pending == nil {
		if s.now().Sub(s.tried) < KeyAskEvery {
			defer s.mu.Unlock()
			s.stats.FetchSaved.Add(1)
			return s.failed
		}
		s.pending = make(chan struct{})
		select {
		case s.wake <- struct{}{}:
		default: // it was woken already
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

// follow fetches the keys at times and when a login wants them, until ctx ends.
func (s *KeySet) follow(ctx context.Context) {
	defer close(s.done)
	retry := keyRetry
	for {
		wait := s.tick + time.Duration((rand.Float64()-0.5)/5*float64(s.tick))
		if s.lastError() != nil {
			wait = min(retry, s.tick)
			retry = min(2*retry, keyRetryMost)
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

// fetch gets the keys. One that fails changes nothing of what is known.
func (s *KeySet) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	key, err := s.get(ctx)
	before := s.known.Load()
	if err == nil {
		s.stats.Fetched.Add(1)
		s.known.Store(&keyed{key, s.now()})
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

// report logs what has changed.
func (s *KeySet) report(err, failedBefore error, before *keyed) {
	switch {
	case err != nil && failedBefore == nil && before == nil:
		s.log.Error().Err(err).Msg("the keys of the tokens' issuer cannot be fetched (--jwks-url); until they can, tokens are answered with 503")
	case err != nil && failedBefore == nil:
		s.log.Warn().Err(err).Stringer("kept_for", MaxKeyAge).Msg("the keys of the tokens' issuer cannot be fetched (--jwks-url); those that are known go on to count")
	case err == nil && failedBefore != nil:
		s.log.Info().Int("keys_known", len(s.known.Load().key.keys)).Msg("the keys of the tokens' issuer can be fetched again")
	}
}

// get is one request.
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
