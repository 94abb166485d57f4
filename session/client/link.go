package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// defaultSilence is how long the server may be silent if its welcome
	// contains no heartbeat.
	defaultSilence = time.Minute
	// closeWait is how long the server may take to answer our close frame.
	closeWait = time.Second
)

// link is one WebSocket connection. Only its writer goroutine writes events;
// others may write control frames.
type link struct {
	// fixed
	client       *Client
	conn         *websocket.Conn
	stop         chan struct{} // closed by end
	writerDone   chan struct{} // closed by the writer
	joinDeadline time.Time     // when requests are sent even if rooms are still missing

	// owned by the reader
	silence time.Duration

	// owned by the writer
	pace bucket

	// guarded by client.mu
	missing     map[string]bool    // rooms that the server has not answered yet
	refused     map[string]*rejoin // rooms that are joined again later
	elsewhere   bool               // the server's current room is not ours, which it refused
	reconnectAt time.Time          // when the server asked us to reconnect; zero: it did not

	mu      sync.Mutex
	closing bool  // the read deadline is final
	err     error // why the client closed it
}

func newLink(c *Client, conn *websocket.Conn, rooms []string) *link {
	l := &link{
		client: c, conn: conn, stop: make(chan struct{}), writerDone: make(chan struct{}),
		joinDeadline: time.Now().Add(c.cfg.HandshakeTimeout), pace: newBucket(c.cfg.Rate, c.cfg.Burst, time.Now()), missing: make(map[string]bool),
		refused: make(map[string]*rejoin),
	}
	for _, room := range rooms {
		l.missing[room] = true
	}
	conn.SetPingHandler(l.pong)
	return l
}

// next reads one event. Its error says why the connection has ended.
func (l *link) next() (wire.Event, error) {
	l.extend()
	kind, body, err := l.conn.ReadMessage()
	if err != nil {
		return wire.Event{}, l.readError(err)
	}
	ev, err := wire.DecodeServer(body)
	if err == nil && kind != websocket.TextMessage {
		err = errors.New("it is not text")
	}
	if err != nil {
		return ev, finalError{fmt.Errorf("the server sent what is no event: %w", err)}
	}
	return ev, nil
}

// extend resets the read deadline: any frame is a sign of life.
func (l *link) extend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		// It fails only if the connection is closed, which the next read
		// returns.
		_ = l.conn.SetReadDeadline(time.Now().Add(l.silence))
	}
}

func (l *link) pong(data string) error {
	l.extend()
	err := l.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(l.client.cfg.WriteTimeout))
	var timeout net.Error
	if errors.Is(err, websocket.ErrCloseSent) || errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return err
}

// readError translates the error of a read.
func (l *link) readError(err error) error {
	l.mu.Lock()
	own := l.err
	l.mu.Unlock()
	var closed *websocket.CloseError
	var timeout net.Error
	switch {
	case own != nil:
		return own
	case l.client.ctx.Err() != nil:
		return context.Cause(l.client.ctx)
	case errors.Is(err, websocket.ErrReadLimit):
		return finalError{fmt.Errorf("the server sent more than %d bytes at once; raise Config.MaxReceive", l.client.cfg.MaxReceive)}
	case errors.As(err, &closed):
		return &ClosedError{Code: wire.CloseCode(closed.Code), Reason: closed.Text}
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("the server was silent for %v", l.silence)
	}
	return fmt.Errorf("connection lost: %w", err)
}

// fail closes the connection for a reason of the client's.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	l.conn.Close() // fails only if it is closed already
}

// end closes the connection and waits for the writer.
func (l *link) end() {
	close(l.stop)
	l.conn.Close() // fails only if it is closed already
	<-l.writerDone
}

// write is the writer goroutine.
func (l *link) write() {
	defer close(l.writerDone)
	c := l.client
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r, wait, err := l.due(time.Now())
		if err != nil {
			l.fail(err)
			return
		}
		if r != nil {
			if err := l.send(r); err != nil {
				l.fail(err)
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-c.wake:
		case <-timer.C:
		case <-l.stop:
			return
		case <-c.ctx.Done():
			l.bye()
			return
		}
	}
}

// due returns what the writer does now: write r, wait, or end with err.
func (l *link) due(now time.Time) (r *request, wait time.Duration, err error) {
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l { // no welcome yet
		return nil, time.Hour, nil
	}
	wait = time.Hour
	if !l.reconnectAt.IsZero() {
		if wait = l.reconnectAt.Sub(now); wait <= 0 {
			return nil, 0, errors.New("the server asked for a reconnect")
		}
	}
	if sent, ok := c.outbox.oldest(); ok {
		left := c.cfg.AckTimeout - now.Sub(sent)
		if left <= 0 {
			return nil, 0, fmt.Errorf("the server did not answer a request for %v", c.cfg.AckTimeout)
		}
		wait = min(wait, left)
	}
	r, left, err := l.rejoin(now)
	if r != nil || err != nil {
		return r, 0, err
	}
	wait = min(wait, left)
	if closed := l.joinDeadline.Sub(now); closed > 0 && len(l.missing) > 0 {
		return nil, min(wait, closed), nil
	}
	// The expiry timer may be late, as it stops while the machine sleeps.
	if r := c.outbox.head(l.held); r != nil && r.late(now) {
		c.expire(now)
	}
	if r = c.outbox.head(l.held); r == nil {
		return nil, wait, nil
	}
	if l.misplaced(r) {
		return nil, 0, errors.New("the server had refused the current room, and has another")
	}
	if paced := l.pace.wait(now); paced > 0 {
		return nil, min(wait, paced), nil
	}
	l.pace.take()
	return c.outbox.next(now, c.welcome.UID), wait, nil
}

func (l *link) send(r *request) error {
	err := l.conn.SetWriteDeadline(time.Now().Add(l.client.cfg.WriteTimeout))
	if err == nil {
		err = l.conn.WriteMessage(websocket.TextMessage, r.text)
	}
	if err != nil {
		l.client.mu.Lock()
		l.client.outbox.unwrite(r)
		l.client.mu.Unlock()
		return fmt.Errorf("write to the server: %w", err)
	}
	if r.once && l.client.take(r) {
		r.finish(nil)
	}
	return nil
}

// bye sends a close frame, and gives the server closeWait to answer.
func (l *link) bye() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	goodbye := websocket.FormatCloseMessage(int(wire.CloseNormal), "")
	err := l.conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(closeWait))
	if err == nil {
		err = l.conn.SetReadDeadline(time.Now().Add(closeWait))
	}
	if err != nil {
		l.err = context.Cause(l.client.ctx)
		l.conn.Close() // fails only if it is closed already
	}
}
