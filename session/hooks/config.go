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
	// OverNATS is a hook's address that stands for its NATS subject.
	OverNATS = "nats"

	// Subjects of the requests.
	LoginSubject   = "roomd.hook.login"
	JoinSubject    = "roomd.hook.join"
	PublishSubject = "roomd.hook.publish"

	// Timeout is what the backend has to answer one question.
	Timeout = time.Second
	// MaxAsking is how many questions of one hook a node has under way; one more
	// is answered unavailable.
	MaxAsking = 256
	// MaxAnswer is the size of an answer in bytes; a larger one is none.
	MaxAnswer = 64 << 10
	// MinKey is the least length of Config.Key.
	MinKey = 16
)

// Config says who is asked what. An address is a URL of https, or of http on a
// loopback host, or OverNATS; "": the hook is not asked.
type Config struct {
	Login   string
	Join    string
	Publish string // OverNATS only: it is asked for every event, in order

	Headers []string     // of the handshake, that the login hook gets; others it does not see
	Key     []byte       // signs what is posted to a URL; at least MinKey bytes where there is one
	Node    string       // name of this node, for the backend
	Proxies auth.Proxies // whose X-Forwarded-For counts
	Origins auth.Origins // pages that may log in; for others the hook is not asked
	Log     zerolog.Logger
}

// Validate reports the first field that cannot work.
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

// ambient reports whether browsers send a header with requests of any page.
func ambient(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Cookie", "Authorization":
		return true
	}
	return false
}

// validHeader reports whether a header can have that name (RFC 9110, 5.6.2).
func validHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func overHTTP(address string) bool { return address != "" && address != OverNATS }

// CheckAddress says what is wrong with the address of a hook, which is login,
// join or publish.
func CheckAddress(hook, address string) error {
	if !overHTTP(address) {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case hook == "publish":
		return errors.New("hooks: the publish hook is asked over NATS only, as it is for every event; leave its URL out")
	case err != nil || u.Host == "": // whose text may hold a password
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
