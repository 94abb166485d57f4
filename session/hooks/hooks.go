package hooks

import (
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Hooks calls a backend. Its methods may be called from any goroutine.
type Hooks struct {
	// fixed
	cfg     Config
	login   *hook // nil: not called; so the others
	join    *hook
	publish *hook
	nats    *natsTransport // nil: no hook is called over NATS
	https   []*httpTransport

	cache joinCache
	stats Stats
}

// New returns hooks that call the backend. Those over NATS use nc, which must
// outlive them, and may be nil if all have URLs. The caller closes them after
// the manager. The error is that of Validate, or of the subscription for
// responses.
func New(nc *nats.Conn, cfg Config) (*Hooks, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Hooks{cfg: cfg}
	st := &h.stats
	for _, one := range []struct {
		target        **hook
		name, address string
		subject       string
		refusal       wire.Code
		failure       string
		count         counters
	}{
		{&h.login, "login", cfg.Login, LoginSubject, wire.Unauthorized, "logging in is not possible right now; try again in a moment",
			counters{&st.LoginAsked, &st.LoginRefused, &st.LoginFailed, &st.LoginOverloaded}},
		{&h.join, "join", cfg.Join, JoinSubject, wire.Forbidden, "whether you may enter cannot be found out right now; try again in a moment",
			counters{&st.JoinAsked, &st.JoinRefused, &st.JoinFailed, &st.JoinOverloaded}},
		{&h.publish, "publish", cfg.Publish, PublishSubject, wire.Forbidden, "whether you may say this cannot be found out right now; send it again in a moment",
			counters{&st.PublishAsked, &st.PublishRefused, &st.PublishFailed, &st.PublishOverloaded}},
	} {
		if one.address == "" {
			continue
		}
		tr, err := h.transport(nc, one.address, one.subject)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		*one.target = &hook{
			name: one.name, transport: tr, refusal: one.refusal, failure: one.failure, count: one.count, log: cfg.Log,
			inFlight: make(chan struct{}, MaxInFlight),
		}
	}
	return h, nil
}

// transport returns the transport to an address.
func (h *Hooks) transport(nc *nats.Conn, address, subject string) (transport, error) {
	if overHTTP(address) {
		post := newHTTPTransport(address, h.cfg.Key)
		h.https = append(h.https, post)
		return post, nil
	}
	if h.nats == nil {
		if nc == nil {
			return nil, errors.New("hooks: a hook is to be asked over NATS, and there is no connection to it")
		}
		t, err := newNATSTransport(nc)
		if err != nil {
			return nil, err
		}
		h.nats = t
	}
	return h.nats.on(subject), nil
}

// Close closes idle connections and the subscription for responses. Requests in
// flight end within Timeout.
func (h *Hooks) Close() error {
	for _, post := range h.https {
		post.close()
	}
	if h.nats == nil {
		return nil
	}
	return h.nats.close()
}

// Stats returns the counters, which may be read at any time.
func (h *Hooks) Stats() *Stats { return &h.stats }

// Session returns the join and publish hooks that are configured, for
// session.Config.Hooks.
func (h *Hooks) Session() (list session.Hooks) {
	if h.join != nil {
		list.Join = h.Join
	}
	if h.publish != nil {
		list.Publish = h.Publish
	}
	return list
}

// Ask returns the login hook for auth.Authenticator.Ask; nil if it is not
// configured.
func (h *Hooks) Ask() func(r *http.Request, token string) (auth.Identity, error) {
	if h.login == nil {
		return nil
	}
	return h.Login
}

// Kicked drops the cached permission of a user to join a room, or with "" all
// rooms. Call it on every node when somebody is removed.
func (h *Hooks) Kicked(room wire.Room, uid string) { h.cache.kick(uid, room) }
