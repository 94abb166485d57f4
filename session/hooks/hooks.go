package hooks

import (
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Hooks asks a backend. Its methods may be called from any goroutine.
type Hooks struct {
	// fixed
	cfg     Config
	login   *hook // nil: not asked, as the others
	join    *hook
	publish *hook
	nats    *natsWay // nil: no hook is asked over NATS
	posts   []*httpWay

	kept  kept
	stats Stats
}

// New returns hooks that ask over nc, which must outlive them, and may be nil
// where all have URLs. The caller ends them with Close, after the manager.
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
		sorry         string
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
		way, err := h.way(nc, one.address, one.subject)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		*one.target = &hook{
			name: one.name, way: way, refusal: one.refusal, sorry: one.sorry, count: one.count, log: cfg.Log,
			asking: make(chan struct{}, MaxAsking),
		}
	}
	return h, nil
}

// way is how a hook is asked.
func (h *Hooks) way(nc *nats.Conn, address, subject string) (asker, error) {
	if overHTTP(address) {
		post := newHTTPWay(address, h.cfg.Key)
		h.posts = append(h.posts, post)
		return post, nil
	}
	if h.nats == nil {
		if nc == nil {
			return nil, errors.New("hooks: a hook is to be asked over NATS, and there is no connection to it")
		}
		ways, err := newNATSWay(nc)
		if err != nil {
			return nil, err
		}
		h.nats = ways
	}
	return h.nats.on(subject), nil
}

// Close lets go of connections. What is under way ends within Timeout.
func (h *Hooks) Close() error {
	for _, post := range h.posts {
		post.close()
	}
	if h.nats == nil {
		return nil
	}
	return h.nats.close()
}

// Stats are the counters; they may be read at any time.
func (h *Hooks) Stats() *Stats { return &h.stats }

// Session is what a session.Config takes: of join and publish those that are
// asked.
func (h *Hooks) Session() (list session.Hooks) {
	if h.join != nil {
		list.Join = h.Join
	}
	if h.publish != nil {
		list.Publish = h.Publish
	}
	return list
}

// Ask is what an auth.Authenticator takes; nil: the login hook is not asked.
func (h *Hooks) Ask() func(r *http.Request, token string) (auth.Identity, error) {
	if h.login == nil {
		return nil
	}
	return h.Login
}

// Kicked forgets what was kept for a user in a room, or in all for "". It is to
// be called on every node when somebody is removed.
func (h *Hooks) Kicked(room wire.Room, uid string) { h.kept.kick(uid, room) }
