package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// peer is a client as a test sees it: real gorilla, one goroutine.
type peer struct {
	t       testing.TB
	ws      *websocket.Conn
	welcome wire.Welcome
	unread  []wire.Event // came while something else was waited for
	ids     int
}

// dial connects and waits until the first rooms are joined. query is what
// comes behind the ?.
func (s *stack) dial(query string) *peer {
	s.t.Helper()
	p := s.dialRaw(query)
	p.joined(wire.InboxAlias)
	return p
}

// user is dial for an authenticated user, in general.
func (s *stack) user(uid string) *peer {
	s.t.Helper()
	p := s.dial("token=" + s.token(uid))
	p.joined("general")
	return p
}

// dialRaw connects and reads the welcome.
func (s *stack) dialRaw(query string) *peer {
	s.t.Helper()
	return s.dialWith(websocket.DefaultDialer, query)
}

// dialWith is dialRaw with a dialer.
func (s *stack) dialWith(dialer *websocket.Dialer, query string) *peer {
	s.t.Helper()
	ws, resp, err := dialer.Dial("ws://"+s.addr()+"/ws?"+query, nil)
	if err != nil {
		s.t.Fatalf("dial %s: %v (%v)", query, err, resp)
	}
	resp.Body.Close()
	s.t.Cleanup(func() { ws.Close() })
	p := &peer{t: s.t, ws: ws}
	first := p.read()
	if first.Type != wire.TypeWelcome {
		s.t.Fatalf("the first event is %s, want welcome", show(first))
	}
	p.welcome = decode[wire.Welcome](s.t, first.Payload)
	return p
}

// refused tries to connect and returns the answer that there was instead.
func (s *stack) refused(query string, header http.Header) (status int, code, message string) {
	s.t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws?"+query, header)
	if err == nil {
		ws.Close()
		s.t.Fatalf("dial %s succeeded, want a refusal", query)
	}
	if resp == nil {
		s.t.Fatalf("dial %s: %v", query, err)
	}
	return refusal(s.t, resp)
}

func refusal(t testing.TB, resp *http.Response) (status int, code, message string) {
	t.Helper()
	defer resp.Body.Close()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatalf("the body of a %d is no JSON: %v", resp.StatusCode, err)
	}
	same(t, "Content-Type", resp.Header.Get("Content-Type"), "application/json")
	if body.Error.Code == "" || body.Error.Message == "" {
		t.Errorf("the body of a %d has no code or no message", resp.StatusCode)
	}
	return resp.StatusCode, body.Error.Code, body.Error.Message
}

func (p *peer) sendRaw(message string) {
	p.t.Helper()
	must(p.t, p.ws.WriteMessage(websocket.TextMessage, []byte(message)))
}

// send sends an event; payload is a Go value, or JSON as a string.
func (p *peer) send(typ, id, room string, payload any) {
	p.t.Helper()
	ev := wire.Event{Type: typ, ID: id, Room: room}
	switch v := payload.(type) {
	case nil:
	case string:
		if v != "" {
			ev.Payload = json.RawMessage(v)
		}
	default:
		ev.Payload = wire.MarshalPayload(v)
	}
	p.sendRaw(string(wire.AppendEvent(nil, ev)))
}

// next reads one event from the socket.
func (p *peer) next() (wire.Event, error) {
	_ = p.ws.SetReadDeadline(time.Now().Add(patience))
	kind, body, err := p.ws.ReadMessage()
	if err != nil {
		return wire.Event{}, err
	}
	if kind != websocket.TextMessage {
		p.t.Fatalf("the server sent a message of kind %d: %q", kind, body)
	}
	ev, err := wire.DecodeServer(body)
	if err != nil {
		p.t.Fatalf("the server sent %q: %v", body, err)
	}
	return ev, nil
}

func (p *peer) read() wire.Event {
	p.t.Helper()
	ev, err := p.next()
	if err != nil {
		p.t.Fatalf("read: %v; unread: %s", err, show(p.unread...))
	}
	return ev
}

// await returns the first event that fits, and keeps the others for later.
func (p *peer) await(what string, fits func(wire.Event) bool) wire.Event {
	p.t.Helper()
	if i := slices.IndexFunc(p.unread, fits); i >= 0 {
		ev := p.unread[i]
		p.unread = slices.Delete(p.unread, i, i+1)
		return ev
	}
	for {
		ev, err := p.next()
		switch {
		case err != nil:
			p.t.Fatalf("waiting for %s: %v; unread: %s", what, err, show(p.unread...))
		case fits(ev):
			return ev
		default:
			p.unread = append(p.unread, ev)
		}
	}
}

func (p *peer) awaitType(typ string) wire.Event {
	p.t.Helper()
	return p.await(typ, func(ev wire.Event) bool { return ev.Type == typ })
}

func (p *peer) joined(room string) wire.RoomJoined {
	p.t.Helper()
	ev := p.await("room_joined of "+room, func(ev wire.Event) bool { return ev.Type == wire.TypeRoomJoined && ev.Room == room })
	return decode[wire.RoomJoined](p.t, ev.Payload)
}

// answer returns the ack or error of an id.
func (p *peer) answer(id string) wire.Event {
	p.t.Helper()
	return p.await("the answer to "+id, func(ev wire.Event) bool {
		return ev.ID == id && (ev.Type == wire.TypeAck || ev.Type == wire.TypeError)
	})
}

// ask sends an event with an id of its own and returns the id and the answer.
func (p *peer) ask(typ, room string, payload any) (id string, answer wire.Event) {
	p.t.Helper()
	p.ids++
	id = text("%s-%d", p.welcome.ClientID, p.ids) // a user's ids are unique over its connections
	p.send(typ, id, room, payload)
	return id, p.answer(id)
}

// acked is ask for what must succeed.
func (p *peer) acked(typ, room string, payload any) wire.Event {
	p.t.Helper()
	_, ev := p.ask(typ, room, payload)
	if ev.Type != wire.TypeAck {
		p.t.Fatalf("%s was answered %s, want ack", typ, show(ev))
	}
	return ev
}

// failed is ask for what must fail.
func (p *peer) failed(code wire.Code, typ, room string, payload any) wire.ErrorInfo {
	p.t.Helper()
	_, ev := p.ask(typ, room, payload)
	return p.wantError(ev, code)
}

func (p *peer) wantError(ev wire.Event, code wire.Code) wire.ErrorInfo {
	p.t.Helper()
	if ev.Type != wire.TypeError {
		p.t.Fatalf("got %s, want the error %s", show(ev), code)
	}
	info := decode[wire.ErrorInfo](p.t, ev.Payload)
	if info.Code != code || info.Message == "" || info.Retryable != code.Retryable() {
		p.t.Fatalf("got %s, want the error %s with a sentence", show(ev), code)
	}
	return info
}

// say publishes a message and returns its sequence.
func (p *peer) say(room, message string) uint64 {
	p.t.Helper()
	return p.acked(wire.TypeSendMessage, room, wire.SendMessage{Message: message}).Seq
}

// heard waits for a new_message in a room.
func (p *peer) heard(room, message string) wire.Event {
	p.t.Helper()
	return p.await(text("new_message %q in %s", message, room), func(ev wire.Event) bool {
		return ev.Type == wire.TypeNewMessage && ev.Room == room && decode[wire.Message](p.t, ev.Payload).Message == message
	})
}

// awaitCurrent waits until that is the peer's current room: the room tells the
// peer that it is in before the client hears of it.
func (s *stack) awaitCurrent(p *peer, room string) {
	s.t.Helper()
	eventually(s.t, "the current room is "+room, func() bool {
		_, current := s.client(p).Rooms()
		return string(current) == room
	})
}

// all returns everything unread up to now, presence left out: what the server
// has queued before it answers one more event.
func (p *peer) all() []wire.Event {
	p.t.Helper()
	id, _ := p.ask(wire.TypeHeartbeat, "", nil)
	seen := withoutPresence(p.unread)
	p.unread = nil
	return slices.DeleteFunc(seen, func(ev wire.Event) bool { return ev.ID == id })
}

// withoutPresence leaves out what a room tells of its members: it comes when
// its interval is over, before or after anything else.
func withoutPresence(evs []wire.Event) []wire.Event {
	return slices.DeleteFunc(evs, func(ev wire.Event) bool { return ev.Type == wire.TypePresence })
}

// silent fails if anything but presence is unread.
func (p *peer) silent() {
	p.t.Helper()
	if seen := p.all(); len(seen) > 0 {
		p.t.Fatalf("unexpected: %s", show(seen...))
	}
}

// end reads to the end of the connection and returns its close code, 1006 if
// there was none, and the events before it.
func (p *peer) end() (code int, before []wire.Event) {
	p.t.Helper()
	for {
		ev, err := p.next()
		if err == nil {
			before = append(before, ev)
			continue
		}
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			return closed.Code, before
		}
		return websocket.CloseAbnormalClosure, before
	}
}

func (p *peer) wantEnd(code wire.CloseCode) []wire.Event {
	p.t.Helper()
	got, before := p.end()
	if got != int(code) {
		p.t.Fatalf("the connection ended with %d, want %d; before it: %s", got, code, show(before...))
	}
	return before
}

func show(evs ...wire.Event) string {
	var b []byte
	for _, ev := range evs {
		b = append(wire.AppendEvent(append(b, ' '), ev), '\n')
	}
	return string(b)
}

func resumeFrom(at ...wire.Resume) string {
	var b []byte
	for i, r := range at {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendResume(b, r)
	}
	return "resume=" + url.QueryEscape(string(b))
}
