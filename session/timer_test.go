package session

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// quietEngine stands for the rooms where only timers are tested: NATS cannot
// live in a synctest bubble. Joins succeed and nothing else happens.
type quietEngine struct{}

func (quietEngine) IsTable(wire.Room) bool   { return false }
func (quietEngine) FirstTables() []wire.Room { return nil }
func (quietEngine) Command(wire.Room, wire.Event, rooms.CommandOptions, func(rooms.Decision, error)) {
}
func (quietEngine) Node() string                              { return "n1" }
func (quietEngine) RoomHere(wire.Room) (rooms.RoomInfo, bool) { return rooms.RoomInfo{}, false }
func (quietEngine) QueuedBytes() *rooms.QueuedBytes           { return rooms.NewQueuedBytes(0) }
func (quietEngine) Join(_ context.Context, room wire.Room, m rooms.Member, id string, _ rooms.Since) error {
	return m.Deliver(rooms.EventBurst(wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: string(room)}))
}
func (quietEngine) Connected(rooms.Member)                           {}
func (quietEngine) Disconnected(rooms.Member, wire.CloseCode)        {}
func (quietEngine) Leave(wire.Room, rooms.Member, rooms.LeaveReason) {}
func (quietEngine) LeaveAsked(context.Context, wire.Room, rooms.Member, string) error {
	return nil
}
func (quietEngine) PublishAsync(wire.Room, wire.Body, rooms.PublishOptions, func(rooms.PubAck, error)) {
}
func (quietEngine) Signal(wire.Room, wire.Event, rooms.SignalOptions) error { return nil }
func (quietEngine) MessageID(wire.Room, string, string, int) string         { return "" }
func (quietEngine) MarkUserSeen(string)                                     {}
func (quietEngine) UserKnownHere(string) bool                               { return true }
func (quietEngine) LookupUser(context.Context, string) error                { return nil }
func (quietEngine) Online(context.Context, wire.Room, string, int) (wire.OnlineUsers, error) {
	return wire.OnlineUsers{}, nil
}
func (quietEngine) Lobby(context.Context, lobby.Query) (wire.Rooms, error) { return wire.Rooms{}, nil }
func (quietEngine) HistoryFor(context.Context, wire.Room, string, uint64, int) (wire.History, error) {
	return wire.History{}, nil
}
func (quietEngine) History(context.Context, wire.Room, uint64, int) (wire.History, error) {
	return wire.History{}, nil
}

// bubble runs fn with a manager whose clock is the bubble's. All goroutines
// must have ended when it is over.
func bubble(t *testing.T, cfg Config, fn func(t *testing.T, m *Manager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := newManager(quietEngine{}, &auth.Authenticator{}, cfg)
		must(t, err)
		fn(t, m)
		m.Close()
		same(t, "Count", m.Count(), 0)
	})
}

// piped is a connection over net.Pipe: the client's end, and what it saw.
type piped struct {
	client *Client
	conn   net.Conn        // the peer's
	ws     *websocket.Conn // over conn
	start  time.Time

	// owned by the reading goroutine until done is closed
	done  chan struct{}
	pings []time.Duration // when they came, from the start
	ended time.Duration
	code  int
}

// pipeWriter is the http.ResponseWriter of an upgrade over a pipe.
type pipeWriter struct {
	conn net.Conn
	r    *bufio.Reader
}

func (p pipeWriter) Header() http.Header         { return http.Header{} }
func (p pipeWriter) Write(b []byte) (int, error) { return p.conn.Write(b) }
func (p pipeWriter) WriteHeader(int)             {}
func (p pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return p.conn, bufio.NewReadWriter(p.r, bufio.NewWriter(p.conn)), nil
}

// connect adds a client over a pipe. pong says whether the peer answers pings;
// nil: it does not even read.
func connect(t *testing.T, m *Manager, who auth.Identity, pong func(p *piped) bool) *piped {
	t.Helper()
	ours, theirs := net.Pipe()
	p := &piped{conn: theirs, done: make(chan struct{}), start: time.Now()}
	added := make(chan struct{})
	go func() {
		defer close(added)
		r := bufio.NewReader(ours)
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		ws, err := new(websocket.Upgrader).Upgrade(pipeWriter{ours, r}, req, nil)
		if err != nil {
			t.Error(err)
			return
		}
		p.client, err = m.AddClient(ws, who, "")
		if err != nil {
			t.Error(err)
		}
	}()
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return theirs, nil }}
	ws, _, err := dialer.Dial("ws://h", nil)
	must(t, err)
	p.ws = ws
	<-added
	if pong == nil {
		close(p.done)
		return p
	}
	ws.SetPingHandler(func(data string) error {
		p.pings = append(p.pings, time.Since(p.start))
		if pong(p) {
			return ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		}
		return nil
	})
	go p.read()
	return p
}

func (p *piped) read() {
	defer close(p.done)
	for {
		_, _, err := p.ws.ReadMessage()
		if err == nil {
			continue
		}
		p.ended, p.code = time.Since(p.start), websocket.CloseAbnormalClosure
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			p.code = closed.Code
		}
		p.conn.Close()
		return
	}
}

// talk sends heartbeats until the connection is gone.
func (p *piped) talk(pause time.Duration) {
	for p.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"heartbeat"}`)) == nil {
		time.Sleep(pause)
	}
}

func answers(*piped) bool { return true }
func ignores(*piped) bool { return false }

var ann = auth.Identity{UID: "ann", Username: "Ann"}

func within(t *testing.T, what string, got, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s after %s, want %s to %s", what, got, from, to)
	}
}

// A peer that says nothing but answers every ping stays, for ever, and is
// pinged every 20 to 25 seconds. The pongs come in the same instant as the
// pings: the bubble's clock stands still meanwhile.
func TestPingAndPong(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, answers)
		time.Sleep(time.Hour)
		same(t, "Count", m.Count(), 1)
		m.CloseUserHere("ann", wire.CloseRemoved)
		<-p.done
		same(t, "the close code", p.code, int(wire.CloseRemoved))
		if n := len(p.pings); n < 3600/25-1 || n > 3600/20 {
			t.Errorf("%d pings in an hour", n)
		}
		last := time.Duration(0)
		for _, at := range p.pings {
			within(t, "a ping", at-last, 20*time.Second, 25*time.Second)
			last = at
		}
	})
}

// Peers that came together are not pinged together, but in the steps of the
// wheel.
func TestPingsAreSpread(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		peers := list(0, 100, func(i int) *piped { return connect(t, m, auth.Identity{UID: text("u%d", i)}, answers) })
		time.Sleep(26 * time.Second)
		m.Close()
		at := map[time.Duration]int{}
		for _, p := range peers {
			<-p.done
			at[p.pings[0]]++
		}
		if len(at) < 4 || len(at) > 6 || slices.Max(slices.Collect(maps.Values(at))) > 50 {
			t.Errorf("100 peers were pinged at %v, want them in all steps between 20 and 25 s", at)
		}
	})
}

func TestNoHeartbeat(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, ignores)
		<-p.done
		same(t, "the close code", p.code, int(wire.CloseNoHeartbeat))
		same(t, "pings", len(p.pings), 1)
		within(t, "closed", p.ended, 30*time.Second, 35*time.Second)
		within(t, "the close after the ping", p.ended-p.pings[0], 10*time.Second, 10*time.Second)
		<-p.client.Done()
	})
}

// Any frame is a sign of life: messages, pings and pongs of the peer's own.
func TestAnyFrameIsLife(t *testing.T) {
	frames := map[string]func(*websocket.Conn) error{
		"message": func(ws *websocket.Conn) error {
			return ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"heartbeat"}`))
		},
		"nonsense": func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.BinaryMessage, nil) },
		"ping":     func(ws *websocket.Conn) error { return ws.WriteControl(websocket.PingMessage, nil, farAway()) },
		"pong":     func(ws *websocket.Conn) error { return ws.WriteControl(websocket.PongMessage, nil, farAway()) },
	}
	for name, send := range frames {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, m *Manager) {
				p := connect(t, m, ann, ignores)
				for range 9 { // fewer than ten, for the nonsense
					time.Sleep(15 * time.Second)
					must(t, send(p.ws))
				}
				stopped := time.Since(p.start)
				<-p.done
				same(t, "pings", len(p.pings), 1) // only after it fell silent
				within(t, "closed", p.ended-stopped, 30*time.Second, 35*time.Second)
				same(t, "the close code", p.code, int(wire.CloseNoHeartbeat))
			})
		})
	}
}

// An answer may come until the last moment, and need not repeat the ping.
func TestLateAnswers(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		connect(t, m, ann, func(p *piped) bool {
			time.AfterFunc(9*time.Second, func() { _ = p.ws.WriteControl(websocket.PongMessage, nil, farAway()) })
			return false
		})
		time.Sleep(10 * time.Minute)
		same(t, "Count", m.Count(), 1)
	})
}

func TestTokenExpiry(t *testing.T) {
	for _, c := range []struct {
		after time.Duration // of the start does the token expire
		busy  bool
	}{{0, false}, {90 * time.Second, false}, {90 * time.Second, true}, {-auth.Leeway / 2, false}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, m *Manager) {
				who := ann
				who.Expires = time.Now().Add(c.after)
				p := connect(t, m, who, answers)
				var busy sync.WaitGroup
				if c.busy {
					busy.Go(func() { p.talk(time.Second) })
				}
				<-p.done
				busy.Wait()
				same(t, "the close code", p.code, int(wire.CloseTokenExpired))
				within(t, "closed", p.ended, max(0, c.after), max(0, c.after)+2*time.Millisecond)
			})
		})
	}
}

// A peer that does not read: the write ends after its timeout, and the
// connection with it. Nothing of it is left.
func TestWriteTimeout(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, nil) // the welcome is never read
		<-p.client.Done()
		within(t, "gone", time.Since(p.start), 4*time.Second, 6*time.Second)
		same(t, "WriteErrors", m.Stats().WriteErrors.Load(), 1)
		if m.Stats().Unsent.Load() == 0 {
			t.Error("nothing is counted as unsent")
		}
		m.Stats().Closed.Each(func(code wire.CloseCode, n int64) {
			same(t, text("the count of %d", code), n, map[bool]int64{true: 1}[code == wire.CloseTooSlow])
		})
		p.conn.Close()
	})
}

// The deadline of one write is no deadline of the next, however short it is.
func TestShortWriteTimeout(t *testing.T) {
	bubble(t, Config{WriteTimeout: 200 * time.Millisecond}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, answers)
		for range 50 {
			time.Sleep(300 * time.Millisecond)
			must(t, p.client.Send(wire.Event{Type: "x"}))
		}
		synctest.Wait()
		same(t, "Count", m.Count(), 1)
	})
}

// A peer that does not answer the close frame is given a second, and no more.
func TestLinger(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, answers)
		p.ws.SetCloseHandler(func(int, string) error { time.Sleep(time.Hour); return nil })
		synctest.Wait()
		from := time.Now()
		p.client.Close(wire.CloseForbidden)
		<-p.client.Done()
		same(t, "the time that closing took", time.Since(from), lingerTimeout)
		<-p.done
	})
}

// A peer that goes on talking after it was closed cannot stay by that.
func TestTalkingOnAfterTheClose(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, answers)
		p.ws.SetCloseHandler(func(int, string) error { time.Sleep(time.Hour); return nil })
		var talk sync.WaitGroup
		talk.Go(func() { p.talk(10 * time.Millisecond) })
		time.Sleep(time.Second)
		from, received := time.Now(), m.Stats().Received.Load()
		p.client.Close(wire.CloseForbidden)
		<-p.client.Done()
		within(t, "closed", time.Since(from), 0, lingerTimeout)
		if n := m.Stats().Received.Load() - received; n > 1 {
			t.Errorf("%d events were handled after the close", n)
		}
		<-p.done
		talk.Wait()
	})
}

// Many connections are drained evenly over four fifths of the time.
func TestDrainIsSpread(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		peers := list(0, 100, func(i int) *piped { return connect(t, m, auth.Identity{UID: text("u%d", i)}, answers) })
		from := time.Since(peers[0].start)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		must(t, m.Drain(ctx))
		var at []time.Duration
		for _, p := range peers {
			<-p.done
			same(t, "the close code", p.code, int(wire.CloseDraining))
			at = append(at, p.ended-from)
		}
		slices.Sort(at)
		for i, d := range at {
			within(t, text("client %d", i), d, time.Duration(i)*240*time.Millisecond, time.Duration(i)*240*time.Millisecond+5*time.Millisecond)
		}
	})
}

// The reconnects of many are spread as well; json is what a browser sees.
func TestReconnectSaysWhen(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		p := connect(t, m, ann, nil)
		var delays []int64
		p.client.drain(1000)
		for {
			_, body, err := p.ws.ReadMessage()
			if err != nil {
				break
			}
			var ev struct {
				Type    string
				Payload struct {
					AfterMS int64 `json:"after_ms"`
				}
			}
			must(t, json.Unmarshal(body, &ev))
			if ev.Type == wire.TypeReconnect {
				delays = append(delays, ev.Payload.AfterMS)
			}
		}
		p.conn.Close()
		if len(delays) != 1 || delays[0] < 0 || delays[0] > 5000 {
			t.Errorf("reconnect came with %v", delays)
		}
	})
}
