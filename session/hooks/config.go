package hooks

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const (
	// OverNATS as the address of a hook selects its NATS subject.
	OverNATS = "nats"

	// Subjects of the requests.
	LoginSubject   = "roomd.hook.login"
	JoinSubject    = "roomd.hook.join"
	PublishSubject = "roomd.hook.publish"

	// Timeout is how long the backend may take to answer a request.
	Timeout = time.Second
	// MaxInFlight is how many requests of one hook a node may have in flight;
	// one more fails as unavailable without being sent.
	MaxInFlight = 256
	// MaxResponse is the most bytes of a response; a larger one is a failure.
	MaxResponse = 64 << 10
	// MinKey is the fewest bytes of Config.Key.
	MinKey = 16
)

// Config says which hooks are called, and where. An address is an https URL, an
// http URL on a loopback host, or OverNATS; "": the hook is not called.
type Config struct {
	Login   string
	Join    string
	Publish string // OverNATS only: it is called for every event, in order

	Headers []string     // headers of the handshake that are passed to the login hook
	Key     []byte       // signs requests to URLs; at least MinKey bytes if there are any
	Node    string       // name of this node, for the backend
	Proxies auth.Proxies // whose X-Forwarded-For is believed
	Origins auth.Origins // pages that may log in; for others the hook is not called
	Log     zerolog.Logger
}

// Validate returns an error for the first field that is invalid.
func (c Config) Validate() error {
	for _, hook := range []struct{ name, address string }{{"login", c.Login}, {"join", c.Join}, {"publish", c.Publish}} {
		if err := CheckAddress(hook.name, hook.address); err != nil {
			return err
		}
		if overHTTP(hook.address) && len(c.Key) < MinKey {
			return fmt.Errorf("hooks: what is posted to the URL of the %s hook is signed, and the key has %d bytes; give one of at least %d", hook.name, len(c.Key), MinKey)
		}
	}
	for _, name := range c.Headers {
		if !validHeader(name) {
			return fmt.Errorf("hooks: %q cannot be the name of a header", name)
		}
	}
	if c.Login != "" && c.Origins.Any() && slices.ContainsFunc(c.Headers, ambient) {
		return errors.New("hooks: the login hook gets a header that browsers add by themselves (Cookie or Authorization), and pages of every origin may connect: any page could act as its visitors; name the origins that may")
	}
	return nil
}

// ambient reports whether browsers add a header to requests of any page.
func ambient(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Cookie", "Authorization":
		return true
	}
	return false
}

// validHeader reports whether name is a valid name of a header (RFC 9110,
// 5.6.2).
func validHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func overHTTP(address string) bool { return address != "" && address != OverNATS }

// CheckAddress returns an error if address is not valid for hook, which is
// login, join or publish.
func CheckAddress(hook, address string) error {
	if !overHTTP(address) {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case hook == "publish":
		return errors.New("hooks: the publish hook is asked over NATS only, as it is for every event; leave its URL out")
	case err != nil || u.Host == "": // its text may contain a password
		return fmt.Errorf("hooks: the address of the %s hook is no URL; write one such as https://example.com/roomd/%s", hook, hook)
	case u.User != nil:
		return fmt.Errorf("hooks: the URL of the %s hook holds a password; requests are signed, and need none", hook)
	case u.Fragment != "":
		return fmt.Errorf("hooks: the URL of the %s hook has a part behind #, which no server sees", hook)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("hooks: %s://%s could be read, and answered, by others on the way; use https (http only on this machine)", u.Scheme, u.Host)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
