//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// returnerPause is between two attempts of a returner.
const returnerPause = 50 * time.Millisecond

// returner is a client that comes back to one room. It speaks WebSocket
// itself: session/client would keep from the test what comes twice.
type returner struct {
	x         *node
	uid, room string // room is as it names it: "@me"
	since     wire.Position
	entry     string // the query of connections before it comes back

	ctx   context.Context // of its life
	leave context.CancelFunc
	done  chan struct{} // closed when it has ended
	more  chan struct{} // something came; holds one

	mu        sync.Mutex
	ws        *websocket.Conn
	pos       wire.Position // where it would come back now
	asked     time.Time     // when it came back first
	joins     int           // room_joined of the room
	joined    time.Time     // when the first of them came
	came      []heard
	times     []time.Time // of came
	refreshed []span
	inbox     bool                  // @me was joined on this connection
	answers   map[string]wire.Event // by id and type
	again     []string              // why it had to come back once more
	wrong     []string              // what no server may say
}

// newReturner is a client that has not connected yet; it lives until close.
func newReturner(ctx context.Context, x *node, uid, room string, since wire.Position) *returner {
	m := &returner{x: x, uid: uid, room: room, since: since, pos: since, done: make(chan struct{}), more: make(chan struct{}, 1), answers: make(map[string]wire.Event)}
	m.ctx, m.leave = context.WithCancel(ctx)
	return m
}

// dial opens a connection; query says what it joins.
func (m *returner) dial(query string) error {
	text, err := token(m.uid)(m.ctx)
	if err != nil {
		return err
	}
	d := &websocket.Dialer{HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 256}
	ws, res, err := d.DialContext(m.ctx, m.x.ws()+query, http.Header{"Authorization": {"Bearer " + text}})
	if err != nil {
		return fmt.Errorf("%v: %w", res, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ws, m.inbox = ws, false
	return nil
}

// start dials and begins to read. It connects by the same query until it
// comes back.
func (m *returner) start(query string) error {
	m.entry = query
	if err := m.dial(query); err != nil {
		return err
	}
	go m.live()
	return nil
}

// way is the query of the next connection.
func (m *returner) way() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked.IsZero() {
		return m.entry
	}
	return resume(m.room, m.pos)
}

// resume is the query that joins a room from a position.
func resume(room string, since wire.Position) string {
	return "?resume=" + url.QueryEscape(string(wire.AppendResume(nil, wire.Resume{Room: room, Since: since})))
}

// comeBack resumes on a new connection, or by join_room on the one that is
// there.
func (m *returner) comeBack() error {
	m.mu.Lock()
	m.asked = time.Now()
	open := m.ws != nil
	m.mu.Unlock()
	if !open {
		return m.start(resume(m.room, m.since))
	}
	// An error says that the connection has ended: then the next one resumes.
	_ = m.send(wire.Event{Type: wire.TypeJoinRoom, ID: "join", Payload: wire.MarshalPayload(wire.RoomRequest{Name: m.room, Since: &m.since})})
	return nil
}

func (m *returner) send(ev wire.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ws.WriteMessage(websocket.TextMessage, wire.AppendEvent(nil, ev))
}

// live reads until the end, over however many connections.
func (m *returner) live() {
	defer close(m.done)
	for {
		err := m.read()
		for err != nil {
			if m.ctx.Err() != nil {
				return
			}
			why := err
			m.note(func() {
				if !m.asked.IsZero() {
					m.again = append(m.again, why.Error())
				}
			})
			select {
			case <-time.After(returnerPause):
			case <-m.ctx.Done():
				return
			}
			query := m.way()
			if err = m.dial(query); err == nil && query != m.way() {
				err = errors.Join(errors.New("it has come back meanwhile"), m.ws.Close())
			}
		}
	}
}

// read reads one connection until its end. The context ends it too.
func (m *returner) read() error {
	m.mu.Lock()
	ws := m.ws
	m.mu.Unlock()
	defer ws.Close()
	stop := context.AfterFunc(m.ctx, func() { ws.Close() })
	defer stop()
	for {
		_, text, err := ws.ReadMessage()
		if err == nil {
			err = m.hear(text)
		}
		if err != nil {
			return err
		}
	}
}

// hear takes in one event. Its error ends the connection: the room was
// refused, and the way in for all is to come back.
func (m *returner) hear(text []byte) error {
	now := time.Now()
	ev, err := wire.DecodeServer(text)
	m.note(func() {
		switch {
		case err != nil:
			m.wrong = append(m.wrong, fmt.Sprintf("%.200q: %v", text, err))
		case ev.Type == wire.TypeError && (ev.ID == "join" || ev.ID == "" && (ev.Room == m.room || m.asked.IsZero())):
			err = fmt.Errorf("refused: %s", ev.Payload)
		case ev.Type == wire.TypeRoomJoined:
			m.hearJoined(ev, now)
		case ev.Room == m.room && ev.Seq > 0 && wire.Logged(ev.Type):
			m.came = append(m.came, heard{eventOf(ev), m.pos.Seq})
			m.times = append(m.times, now)
			m.pos.Seq = max(m.pos.Seq, ev.Seq)
		case ev.ID != "":
			m.answers[ev.ID+" "+ev.Type] = ev
		}
	})
	return err
}

// hearJoined takes in a room_joined; mu is held.
func (m *returner) hearJoined(ev wire.Event, now time.Time) {
	m.inbox = m.inbox || ev.Room == wire.InboxAlias
	if ev.Room != m.room || m.asked.IsZero() {
		return
	}
	var p wire.RoomJoined
	if err := json.Unmarshal(ev.Payload, &p); err != nil {
		m.wrong = append(m.wrong, fmt.Sprintf("%s: %v", ev.Payload, err))
		return
	}
	if m.joins++; m.joins == 1 {
		m.joined = now
	}
	if p.Recovered {
		m.pos.Seq = max(m.pos.Seq, p.Seq)
		return
	}
	m.refreshed = append(m.refreshed, span{m.pos.Seq, p.Seq})
	m.pos = wire.Position{Epoch: p.Epoch, Seq: p.Seq}
}

// eventOf is what identifies a logged event to the test.
func eventOf(ev wire.Event) stored {
	var body struct{ Message string }
	if err := json.Unmarshal(ev.Payload, &body); err != nil {
		body.Message = fmt.Sprintf("%.100q", ev.Payload) // nobody sent that
	}
	return stored{ev.Seq, body.Message}
}

func (m *returner) note(what func()) {
	m.mu.Lock()
	what()
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// until waits for a condition on what came.
func (m *returner) until(what string, patience time.Duration, ok func() bool) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		m.mu.Lock()
		done := ok()
		m.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-m.more:
		case <-over.C:
			return fmt.Errorf("%s: not within %v", what, patience)
		case <-m.done:
			return fmt.Errorf("%s: it has ended", what)
		}
	}
}

// answerPatience is how long one answer may take: a connection that ends takes
// answers with it.
const answerPatience = 5 * time.Second

// ask sends an event until it is answered with an event of a type.
func (m *returner) ask(ev wire.Event, typ string, patience time.Duration) (wire.Event, error) {
	var answer, refusal wire.Event
	var err error
	for over := time.Now().Add(patience); time.Now().Before(over); {
		// An error says that the connection has ended: then there is another.
		if err = m.send(ev); err == nil {
			err = m.until("an answer to "+ev.Type, answerPatience, func() bool {
				answer, refusal = m.answers[ev.ID+" "+typ], m.answers[ev.ID+" "+wire.TypeError]
				return answer.ID != "" || refusal.ID != ""
			})
		}
		if answer.ID != "" {
			return answer, nil
		}
		m.note(func() { delete(m.answers, ev.ID+" "+wire.TypeError) })
		select {
		case <-time.After(returnerPause):
		case <-m.ctx.Done():
			return answer, m.ctx.Err()
		}
	}
	return answer, errors.Join(fmt.Errorf("%s %s is refused: %s", ev.Type, ev.Payload, refusal.Payload), err)
}

// close ends it.
func (m *returner) close() {
	m.leave()
	m.mu.Lock()
	started := m.ws != nil
	m.mu.Unlock()
	if started {
		<-m.done
	}
}
