package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// startVerifier makes what checks users' tokens, if there is a key. Keys that cannot be fetched yet are no error.
func (n *Node) startVerifier(ctx context.Context) error {
	switch {
	case n.cfg.JWKSURL != "":
		keys, err := auth.NewKeySet(ctx, n.cfg.JWKSURL, n.log)
		if err != nil {
			return err
		}
		n.keys, n.who.Verifier = keys, auth.NewIssuerVerifier(keys)
	case n.cfg.JWTKey != "":
		key, err := auth.ParseKey([]byte(n.cfg.JWTKey))
		if err != nil {
			return err
		}
		n.who.Verifier = auth.NewVerifier(key)
	default:
		return nil
	}
	v := n.who.Verifier
	v.Audience, v.Issuer, v.RequireExpiry = n.cfg.JWTAudience, n.cfg.JWTIssuer, n.cfg.JWTRequireExp
	return nil
}

// keyStats are the counters of the keys that are fetched; all 0 where none are.
func (n *Node) keyStats() *auth.KeyStats {
	if n.keys == nil {
		return new(auth.KeyStats)
	}
	return n.keys.Stats()
}

// maxLogin is the most bytes of a body of POST /login; more is answered 413.
const maxLogin = 4 << 10

// loginHandler serves POST /login. Pages that may connect (--allow-origin) may also log in from their own origin.
func (n *Node) loginHandler() http.Handler {
	origins, err := auth.ParseOrigins(n.cfg.AllowOrigin)
	if err != nil {
		panic("node: --allow-origin was not validated: " + err.Error())
	}
	guard := func(r *http.Request) error {
		if !origins.Allowed(r) {
			refusal := wire.Errorf(wire.Forbidden, "pages of %s may not log in; allow them with --allow-origin", r.Header.Get("Origin"))
			n.sessions.LogLoginRefusal(r, refusal)
			return refusal
		}
		return nil
	}
	login := endpoint(n.log, guard, methods{http.MethodPost: n.login})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" && origins.Allowed(r) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Methods", "POST")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				w.Header().Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		if r.Method == http.MethodPost && !n.admitLogin(w, r) {
			return
		}
		login.ServeHTTP(w, r)
	})
}

// admitLogin answers 429 to an address that logs in more often than --login-rate.
func (n *Node) admitLogin(w http.ResponseWriter, r *http.Request) bool {
	wait, refusal := n.sessions.AdmitLogin(r)
	if refusal == nil {
		return true
	}
	n.sessions.LogLoginRefusal(r, refusal)
	w.Header().Set("Retry-After", session.RetryAfter(wait))
	fail(w, r, n.log, refusal)
	return false
}

// login answers the one-time ticket and, to a guest, its token. The body may be left out.
func (n *Node) login(r *http.Request) (any, error) {
	var wish struct {
		Username string `json:"username"`
		AvatarID string `json:"avatar_id"`
	}
	if r.ContentLength != 0 {
		body, err := readJSON(r, maxLogin)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &wish); err != nil {
			return nil, wire.Errorf(wire.BadJSON, `the body must be a JSON object such as {"username":"percy","avatar_id":"7"}`)
		}
	}
	result, err := n.who.Login(r, wish.Username, wish.AvatarID)
	if err != nil {
		status, refusal := session.LoginRefusal(err)
		if known := (*wire.Error)(nil); status >= http.StatusInternalServerError && !errors.As(err, &known) {
			n.log.Error().Err(err).Msg("a login failed")
		}
		n.sessions.LogLoginRefusal(r, refusal)
		return nil, refusal
	}
	return result, nil
}
