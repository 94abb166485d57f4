//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// hookQuestion is what a node asks; of each hook other fields are set.
type hookQuestion struct {
	Node, UID, Room, Token string
	Resume                 bool
	Event                  struct{ ID string }
}

// hookService answers the hooks of all nodes: who has the token opaque-<uid> is
// that user, enters every room for an hour, and says what he likes.
type hookService struct {
	t     *testing.T
	nc    *nats.Conn
	asked struct {
		sync.Mutex
		questions map[string][]hookQuestion // by hook
	}
}

// answerHooks connects the service, and returns when a node is answered.
func answerHooks(t *testing.T, c *natsCluster, url string) *hookService {
	t.Helper()
	v := &hookService{t: t, nc: c.connect(url, make(chan error, 100))}
	v.asked.questions = make(map[string][]hookQuestion)
	if _, err := v.nc.QueueSubscribe("roomd.hook.*", "service", v.answer); err != nil {
		t.Fatal(err)
	}
	node := c.connect(c.url("node"), nil)
	defer node.Close()
	eventually(t, "the service is asked", time.Minute, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := node.RequestWithContext(ctx, "roomd.hook.join", []byte(`{"uid":"a test"}`))
		return err
	})
	return v
}

// answer runs on the subscription's goroutine.
func (v *hookService) answer(msg *nats.Msg) {
	hook := strings.TrimPrefix(msg.Subject, "roomd.hook.")
	var q hookQuestion
	if err := json.Unmarshal(msg.Data, &q); err != nil {
		v.t.Errorf("%s asks %s: %v", hook, msg.Data, err)
	}
	v.asked.Lock()
	v.asked.questions[hook] = append(v.asked.questions[hook], q)
	v.asked.Unlock()
	text := `{"ok":true}`
	switch hook {
	case "login":
		text = `{"error":"who is that?"}`
		if uid, is := strings.CutPrefix(q.Token, "opaque-"); is {
			text = fmt.Sprintf(`{"uid":%q}`, uid)
		}
	case "join":
		text = `{"ok":true,"for_s":3600}`
	}
	if err := msg.Respond([]byte(text)); err != nil {
		v.t.Logf("answer %s: %v", hook, err) // the service is cut off
	}
}

// count is how often a hook was asked about a user.
func (v *hookService) count(hook, uid string) int {
	v.asked.Lock()
	defer v.asked.Unlock()
	n := 0
	for _, q := range v.asked.questions[hook] {
		if q.UID == uid || q.Token == "opaque-"+uid {
			n++
		}
	}
	return n
}

// askedAbout is how often the publish hook was asked about an event.
func (v *hookService) askedAbout(event string) int {
	v.asked.Lock()
	defer v.asked.Unlock()
	n := 0
	for _, q := range v.asked.questions["publish"] {
		if q.Event.ID == event {
			n++
		}
	}
	return n
}

// want asserts how often the login and join hooks were asked about a user.
func (v *hookService) want(what, uid string, logins, joins int) {
	v.t.Helper()
	if l, j := v.count("login", uid), v.count("join", uid); l != logins || j != joins {
		v.t.Errorf("%s: the hooks were asked about %s %d and %d times, want %d logins and %d joins", what, uid, l, j, logins, joins)
	}
}

// opaque connects as a user whom only the service knows.
func opaque(uid string, more func(*client.Config)) func(*client.Config) {
	return func(cfg *client.Config) {
		cfg.Token = func(context.Context) (string, error) { return "opaque-" + uid, nil }
		if more != nil {
			more(cfg)
		}
	}
}

// shake asks a node as a browser looks why its handshake failed, and returns
// the status: 400 is a yes, as it is no handshake.
func shake(ctx context.Context, x *node, credential string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(x.port)+"/ws?room=general&token="+url.QueryEscape(credential), nil)
	if err != nil {
		return 0, err
	}
	res, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		return 0, errors.New("503 without Retry-After")
	}
	return res.StatusCode, nil
}

// TestHooksOverNodes: who logs in at one node is kicked at the other, and both
// forget that he was let in.
func TestHooksOverNodes(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	c := startNATS(t)
	nodes := startNodes(t, c, 2, "--hook", "login", "--hook", "join", "--hook", "publish")
	v := answerHooks(t, c, c.url("backend"))
	at := func(x *node) *recorder {
		r := &recorder{}
		r.listener = join(t, x, "anna", room, opaque("anna", func(cfg *client.Config) {
			cfg.OnEvent = func(ev wire.Event) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.events = append(r.events, ev)
			}
		}))
		return r
	}
	both := []*recorder{at(nodes[0]), at(nodes[1])}
	v.want("anna is in at both nodes", "anna", 2, 2)
	for _, x := range nodes {
		if status, err := shake(t.Context(), x, "opaque"); status != http.StatusUnauthorized {
			t.Errorf("%s answers whom the service refuses %d, %v", x.name, status, err)
		}
	}

	back := func() {
		t.Helper()
		for _, r := range both {
			if _, err := r.Join(t.Context(), room, client.JoinOptions{}); err != nil {
				t.Fatalf("%s comes back: %v", r.Welcome().Node, err)
			}
		}
	}
	for _, r := range both {
		if err := r.Leave(t.Context(), room); err != nil {
			t.Fatal(err)
		}
	}
	back()
	v.want("the nodes remember", "anna", 2, 2)

	var removed struct{ Removed, Closed int }
	if err := nodes[1].ask(t.Context(), http.MethodDelete, roomPath(room)+"/members/anna", nil, &removed); err != nil || removed.Removed != 2 {
		t.Fatalf("removed %d, %v; want both", removed.Removed, err)
	}
	for _, r := range both {
		r.gets(t, wire.TypeRoomLeft, `"removed"`)
	}
	back()
	v.want("kicked out of the room at one node", "anna", 2, 4)

	// With a time she would stay out for it: nobody knows since when the service
	// has let her in.
	if err := nodes[0].ask(t.Context(), http.MethodDelete, userPath("anna")+"/sessions?for=0s", nil, &removed); err != nil || removed.Closed != 2 {
		t.Fatalf("closed %d, %v; want both", removed.Closed, err)
	}
	for _, r := range both {
		r.ended(t, wire.CloseRemoved)
	}
	for _, x := range nodes {
		at(x)
	}
	v.want("thrown out at one node", "anna", 4, 6)
}

// TestHooksWithoutAnAnswer: while the service is away, mute, or on a NATS that
// is cut off, clients are told to try again, never that they may not; who is
// inside stays; and it goes on when the service is back, asking about an event
// that is sent again under the id it had.
func TestHooksWithoutAnAnswer(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "general"
	c := startNATS(t)
	nodes := startNodes(t, c, 2, "--hook", "login", "--hook", "join", "--hook", "publish")
	v := answerHooks(t, c, c.url("backend"))
	var inside []*listener
	for _, x := range nodes {
		inside = append(inside, join(t, x, "in-"+x.name, room, opaque("in-"+x.name, nil)))
	}
	heard := 0
	// undecided waits until all that needs the service is answered that nobody
	// has decided, and asserts that it is never answered anything worse.
	undecided := func(what string) {
		t.Helper()
		for i, x := range nodes {
			eventually(t, what+": a login at "+x.name, 60*time.Second, func(ctx context.Context) error {
				status, err := shake(ctx, x, "opaque-eve")
				switch {
				case err == nil && status == http.StatusServiceUnavailable:
					return nil
				case err == nil && status != http.StatusBadRequest:
					t.Fatalf("%s: a login at %s is answered %d", what, x.name, status)
				}
				return fmt.Errorf("it is answered %d, %w", status, err)
			})
			_, err := inside[i].Join(t.Context(), what, client.JoinOptions{})
			if wire.AsError(err).Code != wire.Unavailable {
				t.Errorf("%s: a join at %s: %v", what, x.name, err)
			}
			_, err = inside[i].Send(t.Context(), wire.Event{Type: wire.TypeSendMessage, ID: what + x.name, Room: room, Payload: json.RawMessage(`{"message":"again"}`)})
			if wire.AsError(err).Code != wire.Unavailable {
				t.Errorf("%s: a message at %s: %v", what, x.name, err)
			}
		}
		if err := post(t.Context(), nodes[0], room, what); err != nil { // services pass no hook
			t.Fatal(err)
		}
		heard++
	}
	// decided waits until all of it works again, and asserts the same.
	decided := func(what string) {
		t.Helper()
		for i, x := range nodes {
			eventually(t, what+": all works at "+x.name, 60*time.Second, func(ctx context.Context) error {
				status, err := shake(ctx, x, "opaque-eve")
				switch {
				case err == nil && status != http.StatusBadRequest && status != http.StatusServiceUnavailable:
					t.Fatalf("%s: a login at %s is answered %d", what, x.name, status)
				case err != nil || status != http.StatusBadRequest:
					return fmt.Errorf("a login is answered %d, %w", status, err)
				}
				_, err = inside[i].Join(ctx, what, client.JoinOptions{})
				if err == nil {
					_, err = inside[i].Send(ctx, wire.Event{Type: wire.TypeSendMessage, ID: what + x.name, Room: room, Payload: json.RawMessage(`{"message":"again"}`)})
				}
				if err != nil && wire.AsError(err).Code != wire.Unavailable {
					t.Fatalf("%s: at %s: %v", what, x.name, err)
				}
				return err
			})
			heard++
		}
		for i, x := range nodes {
			inside[i].until(t, what+": everything is heard", reachWithin, func() bool { return len(inside[i].seqs) >= heard })
			inside[i].note(func() {
				if n := len(inside[i].seqs); n != heard || inside[i].Err() != nil || len(inside[i].losses) != 0 {
					t.Errorf("%s: at %s %d events were heard, want %d; it lost %q and ended with %v", what, x.name, n, heard, inside[i].losses, inside[i].Err())
				}
			})
		}
	}

	// It dies, and another takes its place.
	v.nc.Close()
	undecided("away")
	link := startProxy(t, address(c.servers[1].port))
	v = answerHooks(t, c, c.urlAt("backend", link.port()))
	decided("away")
	for _, x := range nodes {
		if v.askedAbout("away"+x.name) == 0 {
			t.Errorf("the new service was not asked about the event that was sent again at %s", x.name)
		}
	}

	// The cable is out, and nobody knows: silence.
	link.setStalled(true)
	undecided("silent")
	link.setStalled(false)
	decided("silent")

	// Its NATS is away for it alone.
	link.hangUp(true)
	undecided("cut off")
	links{link}.heal()
	decided("cut off")

	// NATS is away for one node, which then cannot ask.
	nodes[0].links.cut()
	eventually(t, "a node without NATS does not decide", 60*time.Second, func(ctx context.Context) error {
		status, err := shake(ctx, nodes[0], "opaque-eve")
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusBadRequest {
			t.Fatalf("a node without NATS answers a login %d", status)
		}
		if status != http.StatusServiceUnavailable {
			return fmt.Errorf("it answers %d, %w", status, err)
		}
		return nil
	})
	if status, err := shake(t.Context(), nodes[1], "opaque-eve"); status != http.StatusBadRequest {
		t.Errorf("the other node answers %d, %v", status, err)
	}
	nodes[0].links.heal()
	decided("the node is back")
}
