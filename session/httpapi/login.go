package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// maxLogin is the most bytes of the body of POST /login; a longer one is
// answered 413.
const maxLogin = 4 << 10

// Issuer authenticates a login and issues a ticket: *auth.Authenticator, or a
// program's own. Its errors are answered like those of session.Authenticator.
// It is called on the request's goroutine, whose context bounds it.
type Issuer interface {
	Login(r *http.Request, profile auth.Profile) (auth.LoginResult, error)
}

// LoginOptions configure NewLogin. The zero value lets pages of the server's
// own origin log in.
type LoginOptions struct {
	Origins    auth.Origins   // pages that may log in, and read the response; as session.Config.Origins
	OriginHint string         // appended to the refusal of other pages: what an operator may do
	Log        zerolog.Logger // zero: nothing is logged
}

// login handles /login.
type login struct {
	who      Issuer
	sessions *session.Manager
	LoginOptions
}

// NewLogin returns a handler of POST /login in rooms/wire/README.md, which
// issues the one-time ticket that opens a connection, and of the preflight
// requests (CORS) of pages that may log in. It is to be mounted at "/login".
// Logins are limited by session.Config.AddressLoginRate; sessions counts and
// logs refusals.
func NewLogin(who Issuer, sessions *session.Manager, opts LoginOptions) http.Handler {
	if opts.OriginHint != "" {
		opts.OriginHint = "; " + opts.OriginHint
	}
	l := &login{who: who, sessions: sessions, LoginOptions: opts}
	post := Endpoint(l.Log, l.checkOrigin, Methods{http.MethodPost: l.login})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.preflight(w, r) || r.Method == http.MethodPost && !l.admit(w, r) {
			return
		}
		post.ServeHTTP(w, r)
	})
}

func (l *login) checkOrigin(r *http.Request) error {
	if l.Origins.Allowed(r) {
		return nil
	}
	refusal := wire.Errorf(wire.Forbidden, "pages of %s may not log in%s", r.Header.Get("Origin"), l.OriginHint)
	l.sessions.LogLoginRefusal(r, refusal)
	return refusal
}

// preflight sets the CORS headers, and reports whether the request was a
// preflight, which it has then answered.
func (l *login) preflight(w http.ResponseWriter, r *http.Request) (answered bool) {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !l.Origins.Allowed(r) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "POST")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// admit reports whether the address is below its rate of logins; if not it
// responds with 429.
func (l *login) admit(w http.ResponseWriter, r *http.Request) bool {
	wait, refusal := l.sessions.AdmitLogin(r)
	if refusal == nil {
		return true
	}
	l.sessions.LogLoginRefusal(r, refusal)
	w.Header().Set("Retry-After", session.RetryAfter(wait))
	WriteError(w, r, l.Log, refusal)
	return false
}

// login returns the one-time ticket and, for a guest, its token. The body is
// optional.
func (l *login) login(r *http.Request) (any, error) {
	var profile auth.Profile
	if r.ContentLength != 0 {
		body, err := readJSON(r, maxLogin)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &profile); err != nil {
			return nil, wire.Errorf(wire.BadJSON, `the body must be a JSON object such as {"username":"percy","avatar_id":"7"}`)
		}
	}
	result, err := l.who.Login(r, profile)
	if err = wire.ErrorOrNil(err); err == nil {
		return result, nil
	}
	status, refusal := session.LoginRefusal(err)
	if status >= http.StatusInternalServerError && !wire.Known(err) {
		l.Log.Error().Err(err).Msg("a login failed")
	}
	l.sessions.LogLoginRefusal(r, err)
	return nil, refusal
}
