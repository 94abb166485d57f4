package node

import (
	"context"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// startVerifier creates the verifier of users' tokens, if there is a key. It is
// no error if keys cannot be fetched yet.
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

// loginHandler serves /login. Pages that may connect (--allow-origin) may also
// log in from their own origin.
func (n *Node) loginHandler() http.Handler {
	origins, err := auth.ParseOrigins(n.cfg.AllowOrigin)
	if err != nil {
		panic("node: --allow-origin was not validated: " + err.Error())
	}
	return httpapi.NewLogin(n.who, n.sessions, httpapi.LoginOptions{
		Origins: origins, OriginHint: "allow them with --allow-origin", Log: n.log,
	})
}
