package session

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// checkedWire and checkedAuth are checks of a program that find nothing. Who
// ends with "return checkedWire()" returns an error that is not nil.
func checkedWire() *wire.Error { return nil }
func checkedAuth() *auth.Error { return nil }

// nilErrors is an Authenticator that knows everybody, and returns a nil pointer
// as its error.
type nilErrors struct{}

func (nilErrors) Identify(r *http.Request) (auth.Identity, error) {
	who := auth.Identity{UID: "ann", Username: "Ann"}
	if r.URL.Query().Has("auth") {
		return who, checkedAuth()
	}
	return who, checkedWire()
}

// A nil pointer in an error is no error, whichever function of a program
// returns it.
func TestNilPointerIsNoError(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.who = nilErrors{}
		set.cfg.Hooks = Hooks{
			Connect: func(_ context.Context, _ *http.Request, who auth.Identity) (auth.Identity, error) {
				return who, checkedWire()
			},
			Join: func(context.Context, JoinRequest) error { return checkedWire() },
			Publish: func(context.Context, PublishRequest) func() (json.RawMessage, error) {
				return func() (json.RawMessage, error) { return nil, checkedWire() }
			},
		}
	})
	s.m.Handle("checks", func(*Request) error { return checkedWire() })
	s.m.Handle("wraps", func(*Request) error { return fmt.Errorf("check: %w", checkedWire()) })
	p := s.dial("")
	p.joined("general")
	p.acked("checks", "", nil)
	p.failed(wire.Internal, "wraps", "", nil) // an error of its own, whatever is in it
	p.send(wire.TypeJoinRoom, "", "", `{"name":"later"}`)
	p.joined("later")
	p.say("general", "hi")
	p.heard("general", "hi")
}

func TestLoginRefusalWithoutCause(t *testing.T) {
	for _, err := range []error{fmt.Errorf("look up: %w", checkedWire()), fmt.Errorf("look up: %w", checkedAuth())} {
		status, refusal := LoginRefusal(err)
		if status != http.StatusInternalServerError || refusal == nil || refusal.Code != wire.Internal {
			t.Errorf("%v is answered %d %v, want 500 and internal", err, status, refusal)
		}
	}
}

func TestLoginWithNilPointer(t *testing.T) {
	s := newStack(t, func(set *setup) { set.who = nilErrors{} })
	s.dial("auth=1").joined("general")
}

// A nil verdict stores the event as it is, in its client's order.
func TestNilVerdict(t *testing.T) {
	first := make(chan struct{})
	s := newStack(t, func(set *setup) {
		set.cfg.Hooks.Publish = func(_ context.Context, p PublishRequest) func() (json.RawMessage, error) {
			if p.ID == "second" {
				defer close(first)
				return nil
			}
			return func() (json.RawMessage, error) { <-first; return nil, nil }
		}
	})
	p := s.user("ann")
	p.send(wire.TypeSendMessage, "first", "", `{"message":"1"}`)
	p.send(wire.TypeSendMessage, "second", "", `{"message":"2"}`)
	for _, want := range []string{"1", "2"} {
		same(t, "the next message", decode[wire.Message](t, p.awaitType(wire.TypeNewMessage).Payload).Message, want)
	}
	same(t, "the answer", p.answer("second").Type, wire.TypeAck)
}

func TestNewManagerRefusesNil(t *testing.T) {
	s := newStack(t)
	var none *auth.Authenticator
	for _, who := range []Authenticator{nil, none} {
		if m, err := NewManager(s.eng, who, Config{}); err == nil {
			m.Close()
			t.Errorf("a manager was made with the Authenticator %#v", who)
		}
	}
	if m, err := NewManager(nil, nilErrors{}, Config{}); err == nil {
		m.Close()
		t.Error("a manager was made without an engine")
	}
}

// A reply that no client could read is not sent.
func TestReplyOfNoType(t *testing.T) {
	s := newStack(t)
	for _, typ := range []string{"", "Bad Type"} {
		s.m.Handle("replies", func(r *Request) error {
			r.Reply(wire.Event{Type: typ}, nil)
			return nil
		})
		s.m.Handle("both", func(r *Request) error {
			r.Reply(wire.Event{Type: typ}, wire.Ack{})
			return r.Publish("general", wire.Event{Type: "news"})
		})
		p := s.user("ann")
		p.failed(wire.Internal, "replies", "general", nil)
		p.failed(wire.Internal, "both", "general", nil)
		p.acked(wire.TypeHeartbeat, "", nil) // nothing else was sent
		p.ws.Close()
	}
	if got := strings.Count(s.log.String(), "reply with an event of type"); got != 4 {
		t.Errorf("%d bad replies were logged, want 4: %s", got, s.log)
	}
}
