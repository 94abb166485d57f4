package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"
)

// peer is a client of an example: what it got and has not been asked for yet is in waiting.
type peer struct {
	conn    *websocket.Conn
	events  chan map[string]any // closed at the end of the connection
	code    int                 // of the close frame; set when events is closed
	waiting []map[string]any
	ended   sync.Once

	insistent bool // it was told errors as long as it sent
}

func (p *peer) read() {
	defer close(p.events)
	for {
		kind, text, err := p.conn.ReadMessage()
		var closed *websocket.CloseError
		switch errors.As(err, &closed); {
		case closed != nil:
			p.code = closed.Code
		case err == nil && kind == websocket.TextMessage:
			ev, err := decodeText(string(text))
			object, ok := ev.(map[string]any)
			if err == nil && ok {
				p.events <- object
				continue
			}
		}
		return
	}
}

// rest is all that came and was not asked for.
func (p *peer) rest() []map[string]any {
	for {
		select {
		case ev, ok := <-p.events:
			if ok {
				p.waiting = append(p.waiting, ev)
				continue
			}
		default:
		}
		return p.waiting
	}
}

// next takes the first event, of those that wait and those that come, that is meant by match; nil when none came.
func (p *peer) next(match func(ev map[string]any) bool) map[string]any {
	for i, ev := range p.waiting {
		if match(ev) {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return ev
		}
	}
	timeout := time.After(deadline)
	for {
		select {
		case ev, ok := <-p.events:
			if !ok {
				return nil
			}
			if match(ev) {
				return ev
			}
			p.waiting = append(p.waiting, ev)
		case <-timeout:
			return nil
		}
	}
}

// end closes the connection with a code.
func (p *peer) end(code int) {
	p.ended.Do(func() {
		_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(deadline)) // fails where the server has closed already
		for range p.events {
		}
		p.conn.Close()
	})
}

func (e *scene) peer(name string) *peer {
	e.t.Helper()
	p := e.peers[name]
	if p == nil {
		e.fatal("%s has not connected", name)
	}
	return p
}

// connect opens a connection and waits until it is in the rooms that it begins with, unless its token ends in a moment.
func (e *scene) connect(arg []string) {
	header := http.Header{}
	if arg[2] != "" {
		header.Set("Authorization", "Bearer "+e.token(arg[2], arg[3]))
	}
	path := e.same.address(arg[1])
	conn, resp, err := websocket.DefaultDialer.DialContext(e.t.Context(), strings.Replace(e.server.url, "http", "ws", 1)+path, header)
	if err != nil {
		e.fatal("%s could not connect: %v %v", arg[0], err, resp)
	}
	if old := e.peers[arg[0]]; old != nil {
		old.end(websocket.CloseNormalClosure)
	}
	p := &peer{conn: conn, events: make(chan map[string]any, 1000)}
	e.peers[arg[0]] = p
	go p.read()
	if arg[3] != "" {
		return // a token that ends in a moment may have ended before it is in a room
	}
	var seen []map[string]any
	for _, room := range firstRooms(path) {
		ev := p.next(func(ev map[string]any) bool { return ev["type"] == "room_joined" && ev["room"] == room })
		if ev == nil {
			e.fatal("%s was not let into %s", arg[0], room)
		}
		seen = append(seen, ev)
	}
	p.waiting = append(p.waiting, seen...)
}

// firstRooms are those that a connection is in from the start.
func firstRooms(path string) []string {
	parsed, err := url.Parse(path)
	if err != nil {
		return nil
	}
	rooms := []string{"@me"}
	resume := parsed.Query().Get("resume")
	if room := parsed.Query().Get("room"); room != "" {
		rooms = append(rooms, room)
	} else if resume == "" {
		rooms = append(rooms, "general")
	}
	for item := range strings.SplitSeq(resume, ",") {
		if name, _, ok := strings.Cut(item, ":"); ok && name != "@me" {
			rooms = append(rooms, name)
		}
	}
	return rooms
}

func (e *scene) decode(text string) any {
	e.t.Helper()
	v, err := decodeText(text)
	if err != nil {
		e.fatal("%v in %s", err, text)
	}
	return v
}

func (e *scene) send(arg []string) {
	text := jsonText(e.same.actually("", e.decode(arg[1])))
	if err := e.peer(arg[0]).conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		e.fatal("%s could not send: %v", arg[0], err)
	}
}

// sendUntilClosed sends the same again after the answers: who does not read them is too slow, which is another code.
func (e *scene) sendUntilClosed(arg []string) {
	p := e.peer(arg[0])
	p.insistent = true
	const together = 20 // one after the other would be no flood on a busy machine
	anything := func(map[string]any) bool { return true }
	for {
		for range together {
			if err := p.conn.WriteMessage(websocket.TextMessage, []byte(arg[1])); err != nil {
				return // which code it was is the next line
			}
		}
		for range together {
			if p.next(anything) == nil {
				return
			}
		}
	}
}

// connectGuests opens connections that nobody speaks of again.
func (e *scene) connectGuests(arg []string) {
	n, _ := strconv.Atoi(arg[0]) // digits, by the pattern
	for i := range n {
		e.connect([]string{fmt.Sprintf("guest %d", i), arg[1], "", ""})
	}
}

// got waits for an event of that type, room and id.
func (e *scene) got(arg []string) {
	want, ok := e.decode(arg[1]).(map[string]any)
	if !ok {
		e.fatal("an event is an object")
	}
	p := e.peer(arg[0])
	ev := p.next(func(ev map[string]any) bool {
		return ev["type"] == want["type"] && ev["room"] == want["room"] && ev["id"] == want["id"]
	})
	if ev == nil {
		e.fatal("it did not come; what did: %s", jsonText(p.waiting))
	}
	e.compare("", want, ev)
}

func (e *scene) closed(arg []string) {
	p := e.peer(arg[0])
	p.next(func(map[string]any) bool { return false })
	if want, _ := strconv.Atoi(arg[1]); p.code != want {
		e.fatal("%s was closed with %d, want %d", arg[0], p.code, want)
	}
}

func (e *scene) close(arg []string) {
	code, _ := strconv.Atoi(arg[1]) // digits, by the pattern
	e.peer(arg[0]).end(code)
}

func (e *scene) request(arg []string) {
	headers := []string{}
	if strings.HasPrefix(arg[1], "/api/") || arg[1] == "/metrics" {
		headers = append(headers, "Authorization", "Bearer "+secret)
	}
	body := arg[2]
	if body != "" {
		body = jsonText(e.same.actually("", e.decode(body)))
	}
	a := e.server.do(e.t, arg[0], e.same.address(arg[1]), body, headers...)
	e.answer, e.inbox = &a, strings.HasPrefix(arg[1], "/api/users/")
}

func (e *scene) answered(arg []string) {
	if e.answer == nil {
		e.fatal("nothing was asked")
	}
	if strconv.Itoa(e.answer.status) != arg[0] {
		e.fatal("answered %d %s", e.answer.status, e.answer.body)
	}
	room := ""
	if e.inbox {
		room = "@me"
	}
	e.compare(room, e.decode(arg[1]), e.decode(e.answer.body))
}

// listener is `nats sub`, and what answers requests.
type listener struct {
	nc       *nats.Conn
	messages chan *nats.Msg
	waiting  []*nats.Msg
}

func (e *scene) natsConn() *listener {
	if e.nats == nil {
		e.nats = &listener{nc: natsTo(e.t, e.server), messages: make(chan *nats.Msg, 1000)}
	}
	return e.nats
}

func (e *scene) subscribe(subject string, heard nats.MsgHandler) {
	e.t.Helper()
	nc := e.natsConn().nc
	_, err := nc.Subscribe(subject, heard)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		e.fatal("subscribe to %s: %v", subject, err)
	}
}

func (e *scene) natsSub(arg []string) {
	l := e.natsConn()
	e.subscribe(arg[0], func(msg *nats.Msg) { l.messages <- msg })
}

func (e *scene) natsReply(arg []string) {
	l := e.natsConn()
	e.subscribe(arg[0], func(msg *nats.Msg) {
		_ = msg.Respond([]byte(arg[1])) // an error is seen by who asked
		l.messages <- msg
	})
}

var natsHeader = regexp.MustCompile(`-H ([^:]+):(\S+)`)

func (e *scene) natsPub(arg []string) {
	msg := nats.NewMsg(arg[0])
	msg.Data = []byte(jsonText(e.same.actually("", e.decode(arg[1]))))
	for _, header := range natsHeader.FindAllStringSubmatch(arg[2], -1) {
		msg.Header.Set(header[1], header[2])
	}
	nc := e.natsConn().nc
	err := nc.PublishMsg(msg)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		e.fatal("publish: %v", err)
	}
}

func (e *scene) natsReq(arg []string) {
	ctx, cancel := context.WithTimeout(e.t.Context(), deadline)
	defer cancel()
	msg, err := e.natsConn().nc.RequestWithContext(ctx, arg[0], []byte(jsonText(e.same.actually("", e.decode(arg[1])))))
	if err != nil {
		e.fatal("request: %v", err)
	}
	e.answer, e.inbox = &answer{status: http.StatusOK, body: string(msg.Data)}, false
	if code := msg.Header.Get("Nats-Service-Error-Code"); code != "" {
		e.fatal("answered %s: %s", code, msg.Header.Get("Nats-Service-Error"))
	}
}

// copyHeaders are what the contract says of the headers of what the server publishes there.
var copyHeaders = map[string][]string{
	".log":      {"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Last-Sequence", "Nats-Time-Stamp"},
	".rejected": {"Roomd-Reason", "Roomd-Seq"},
}

func (e *scene) natsGot(arg []string) {
	l := e.natsConn()
	timeout := time.After(deadline)
	for {
		for i, msg := range l.waiting {
			if msg.Subject == arg[0] {
				l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
				e.compare("", e.decode(arg[1]), e.decode(string(msg.Data)))
				for _, name := range copyHeaders[msg.Subject[strings.LastIndex(msg.Subject, "."):]] {
					if msg.Header.Get(name) == "" {
						e.fatal("the header %s is missing: %v", name, msg.Header)
					}
				}
				return
			}
		}
		select {
		case msg := <-l.messages:
			l.waiting = append(l.waiting, msg)
		case <-timeout:
			e.fatal("nothing came on %s", arg[0])
		}
	}
}
