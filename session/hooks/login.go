package hooks

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// loginRequest is the body of a request of the login hook.
type loginRequest struct {
	ID      string            `json:"id"` // of the request
	Node    string            `json:"node"`
	IP      string            `json:"ip"`
	Origin  string            `json:"origin"`
	Room    string            `json:"room"`
	Token   string            `json:"token"`
	Headers map[string]string `json:"headers"` // names in lower case
}

// loginResponse is {uid, name, avatar, rooms, speak, expires_at}, or {guest:
// true}.
type loginResponse struct {
	refusable
	UID       text     `json:"uid"`
	Name      string   `json:"name"`
	Avatar    text     `json:"avatar"`
	Rooms     []string `json:"rooms"` // absent or null: every room, as in a token
	Speak     []string `json:"speak"`
	ExpiresAt *float64 `json:"expires_at"` // ms since 1970; absent or null: never
	Guest     bool     `json:"guest"`

	identity auth.Identity // set by check
}

// maxExpires is the latest time that time.Time can encode as JSON, in ms since
// 1970.
const maxExpires = 253402300799000

func (a *loginResponse) validate() (err error) {
	switch {
	case a.Guest && a.UID != "":
		return errors.New("the answer has guest and a uid; a guest gets one by itself")
	case a.Guest:
		a.identity = auth.Identity{Guest: true}
		return nil
	case a.UID == "":
		return errors.New("the answer has no uid, no guest and no error")
	}
	claims := auth.Claims{UID: string(a.UID), Name: a.Name, AvatarID: string(a.Avatar), Rooms: a.Rooms, Speak: a.Speak}
	if a.ExpiresAt != nil {
		claims.Expires = time.UnixMilli(int64(min(max(*a.ExpiresAt, 0), maxExpires)))
		if !time.Now().Before(claims.Expires) {
			return fmt.Errorf("expires_at is %s, which is over; it is in milliseconds since 1970", claims.Expires.UTC().Format(time.RFC3339))
		}
	}
	a.identity, err = auth.NewIdentity(claims)
	return err
}

// Login asks the backend who a request is from. Pages that may not connect are
// refused before: their requests carry their visitors' cookies. It blocks for
// up to Timeout. IssuedAt is zero: when the backend logged the user in, it does
// not say. Its error is a *wire.Error.
func (h *Hooks) Login(r *http.Request, token string) (auth.Identity, error) {
	if !h.cfg.Origins.Allowed(r) {
		return auth.Identity{}, wire.Errorf(wire.Forbidden, "pages of %s may not connect; allow them with --allow-origin", r.Header.Get("Origin"))
	}
	receive, err := h.login.call(r.Context(), h.loginRequest(r, token))
	if err != nil {
		return auth.Identity{}, err
	}
	var a loginResponse
	if err := receive(&a); err != nil {
		return auth.Identity{}, err
	}
	return a.identity, nil
}

func (h *Hooks) loginRequest(r *http.Request, token string) loginRequest {
	q := loginRequest{
		ID: rand.Text(), Node: h.cfg.Node, Origin: r.Header.Get("Origin"), Room: r.URL.Query().Get("room"),
		Token: token, Headers: make(map[string]string),
	}
	if peer := h.cfg.Proxies.Peer(r); peer.Addr.IsValid() {
		q.IP = peer.Addr.String()
	}
	for _, name := range h.cfg.Headers {
		values := r.Header.Values(name)
		if strings.EqualFold(name, "Host") {
			values = []string{r.Host}
		}
		if len(values) == 0 {
			continue
		}
		between := ", "
		if strings.EqualFold(name, "Cookie") {
			between = "; "
		}
		q.Headers[strings.ToLower(name)] = strings.Join(values, between)
	}
	return q
}

// text is a JSON string or number, as text: many sites have numeric user IDs.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var number json.Number
	if data[0] != '"' && json.Unmarshal(data, &number) == nil {
		*t = text(number)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}
