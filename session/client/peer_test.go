package client

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// peer is a server whose every word a test decides. It speaks real HTTP and
// WebSocket over in-memory connections, so that a test can own the clock. What
// the real server does is tested against the real server.
type peer struct {
	t      *testing.T
	uid    string // of those who are welcomed next
	conns  chan net.Conn
	closed chan struct{}
	server *http.Server
	done   chan struct{}

	mu     sync.Mutex
	refuse []func(http.ResponseWriter) // answers to the next upgrades
	away   bool                        // every upgrade is refused for now
	bare   bool                        // there is no POST /login
	logins int

	sockets chan *socket // accepted ones
}

// socket is one accepted WebSocket.
type socket struct {
	t      *testing.T
	conn   *websocket.Conn
	query  url.Values
	bearer string
}

func newPeer(t *testing.T) *peer {
	p := &peer{t: t, uid: "u", conns: make(chan net.Conn), closed: make(chan struct{}), done: make(chan struct{}), sockets: make(chan *socket, 16)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("/ws", p.upgrade)
	p.server = &http.Server{Handler: mux}
	go func() {
		defer close(p.done)
		if err := p.server.Serve(p); err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := p.server.Close(); err != nil {
			t.Error(err)
		}
		<-p.done
	})
	return p
}

// Accept, Close and Addr make the peer its own net.Listener.
func (p *peer) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *peer) Close() error   { close(p.closed); return nil }
func (p *peer) Addr() net.Addr { return &net.TCPAddr{} }

func (p *peer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *peer) login(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bare {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	p.logins++
	answer := map[string]any{"otp": "o", "expires_in": 30, "token": "guest-token-" + string(rune('0'+p.logins))}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		p.t.Error(err)
	}
}

func (p *peer) upgrade(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	var refuse func(http.ResponseWriter)
	if len(p.refuse) > 0 {
		refuse, p.refuse = p.refuse[0], p.refuse[1:]
	} else if p.away {
		refuse = func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	}
	p.mu.Unlock()
	if refuse != nil {
		refuse(w)
		return
	}
	upgrader := websocket.Upgrader{}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		p.t.Errorf("upgrade: %v", err)
		return
	}
	bearer := r.Header.Get("Authorization")
	p.sockets <- &socket{t: p.t, conn: conn, query: r.URL.Query(), bearer: bearer}
}

// refuseNext answers the next upgrade with a status and the server's body.
func (p *peer) refuseNext(status int, code wire.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = append(p.refuse, func(w http.ResponseWriter) {
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": "no"}}); err != nil {
			p.t.Error(err)
		}
	})
}

// goAway refuses every upgrade with 503, until it is called with false.
func (p *peer) goAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

// accept takes the next connection and says welcome.
func (p *peer) accept() *socket {
	p.t.Helper()
	s := <-p.sockets
	s.send(wire.Event{Type: wire.TypeWelcome, Payload: wire.MarshalPayload(wire.Welcome{ClientID: "c", UID: p.uid, HeartbeatS: 25})})
	p.t.Cleanup(func() { s.conn.Close() })
	return s
}

// open is accept and the joins of a connection with the first room.
func (p *peer) open() *socket {
	p.t.Helper()
	s := p.accept()
	s.joined("", wire.InboxAlias, 0, true)
	s.joined("", "general", 10, true)
	return s
}

func (s *socket) send(ev wire.Event) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, wire.AppendEvent(nil, ev)); err != nil {
		s.t.Errorf("peer sends %s: %v", ev.Type, err)
	}
}

func (s *socket) joined(id, room string, seq uint64, recovered bool) {
	s.t.Helper()
	s.send(wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: room,
		Payload: wire.MarshalPayload(wire.RoomJoined{RoomID: room, Epoch: "e", Seq: seq, Recovered: recovered})})
}

func (s *socket) message(room string, seq uint64) {
	s.t.Helper()
	s.send(wire.Event{Type: wire.TypeNewMessage, Room: room, Seq: seq, Payload: []byte(`{}`)})
}

func (s *socket) ack(ev wire.Event, seq uint64) {
	s.t.Helper()
	s.send(wire.Event{Type: wire.TypeAck, ID: ev.ID, Room: ev.Room, Seq: seq, Payload: []byte(`{"duplicate":false}`)})
}

func (s *socket) refuse(ev wire.Event, code wire.Code) {
	s.t.Helper()
	s.send(wire.Event{Type: wire.TypeError, ID: ev.ID, Payload: wire.MarshalPayload(wire.ErrorInfo{Code: code, Message: "no"})})
}

// receive reads the client's next event, on any goroutine.
func (s *socket) receive() wire.Event {
	s.t.Helper()
	_, body, err := s.conn.ReadMessage()
	if err != nil {
		s.t.Errorf("peer reads: %v", err)
		return wire.Event{}
	}
	ev, err := wire.Decode(body)
	if err != nil {
		s.t.Errorf("the client sent %s: %v", body, err)
	}
	return ev
}

func (s *socket) expect(typ string) wire.Event {
	s.t.Helper()
	ev := s.receive()
	if ev.Type != typ {
		s.t.Errorf("the client sent %q, want %s", ev.Type, typ)
	}
	return ev
}

// watch reads on, so that pings and the close handshake go through, and
// returns how the connection ended.
func (s *socket) watch() <-chan error {
	end := make(chan error, 1)
	go func() {
		for {
			if _, _, err := s.conn.ReadMessage(); err != nil {
				end <- err
				return
			}
		}
	}()
	return end
}

func (s *socket) closeWith(code wire.CloseCode) {
	s.t.Helper()
	text := websocket.FormatCloseMessage(int(code), code.String())
	if err := s.conn.WriteControl(websocket.CloseMessage, text, time.Now().Add(time.Second)); err != nil {
		s.t.Errorf("peer closes: %v", err)
	}
	s.conn.Close()
}
