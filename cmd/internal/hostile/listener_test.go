//go:build linux

package hostile

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// listener hears what comes to one connection.
type listener struct {
	*peer
	mu  sync.Mutex
	got []wire.Event
}

// listenTo connects somebody who keeps what is heard.
func (a *attack) listenTo(v visit) *listener {
	a.t.Helper()
	l := &listener{}
	p, err := a.knock(v, func(text []byte) {
		var ev wire.Event
		if json.Unmarshal(text, &ev) != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, ev)
	})
	if err != nil {
		a.t.Fatalf("somebody who listens: %v", err)
	}
	l.peer = p
	return l
}

// events are those of a type so far.
func (l *listener) events(typ string) (list []wire.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range l.got {
		if ev.Type == typ {
			list = append(list, ev)
		}
	}
	return list
}

// answerTo waits for the ack or error of an event.
func (a *attack) answerTo(l *listener, id string) (answer wire.Event) {
	a.t.Helper()
	eventually(a.t, "the answer to "+id, patience, a.told(func() bool {
		for _, typ := range []string{wire.TypeAck, wire.TypeError} {
			all := l.events(typ)
			if i := slices.IndexFunc(all, func(ev wire.Event) bool { return ev.ID == id }); i >= 0 {
				answer = all[i]
				return true
			}
		}
		return false
	}))
	return answer
}

// uid is who the connection is.
func (a *attack) uid(l *listener) string {
	a.t.Helper()
	eventually(a.t, "the welcome", patience, a.told(func() bool { return len(l.events(wire.TypeWelcome)) > 0 }))
	var w wire.Welcome
	if err := json.Unmarshal(l.events(wire.TypeWelcome)[0].Payload, &w); err != nil {
		a.t.Fatal(err)
	}
	return w.UID
}

// codeOf is an error event's; "" for another event.
func codeOf(ev wire.Event) string {
	var e struct{ Code string }
	if ev.Type != wire.TypeError || json.Unmarshal(ev.Payload, &e) != nil {
		return ""
	}
	return e.Code
}
