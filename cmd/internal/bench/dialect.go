package bench

import (
	"bytes"
	"fmt"
	"net/url"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// kind is what the bench wants to know of a text frame.
type kind uint8

const (
	other     kind = iota
	joined         // the room was entered
	left           // the room was left
	presence       // who came and went
	refused        // an error
	acked          // a message is stored
	opened         // Engine.IO: the transport is there, the client says hello
	heartbeat      // Engine.IO: to be answered
)

// dialect is the protocol of a kind of server.
type dialect struct {
	socketIO bool // Engine.IO 4 and Socket.IO 5 in text frames, instead of JSON events
	ids      bool // events carry an id and are acknowledged
	moves    bool // clients join and leave rooms without a new connection
	signals  bool // what is published is a signal: not logged, and not for the sender
	echoes   bool // what is published is broadcast unchanged
	table    bool // rooms are tables
	bets     bool // whose members bet instead of talking
}

var (
	roomdDialect    = dialect{ids: true, moves: true}
	tableDialect    = dialect{ids: true, moves: true, table: true}
	plainDialect    = dialect{}
	echoDialect     = dialect{echoes: true}
	socketIODialect = dialect{socketIO: true}
)

// query is added to the server's URL to connect as user into room.
func (d dialect) query(room, user string) url.Values {
	q := url.Values{"room": {room}, "username": {user}}
	if d.socketIO {
		q.Set("EIO", "4")
		q.Set("transport", "websocket")
	}
	return q
}

var (
	typePrefix   = []byte(`{"type":"`)
	socketPrefix = []byte(`42["`)

	plainMessage  = []byte(`{"type":"new_message"`)
	plainSignal   = []byte(`{"type":"signal"`)
	plainSent     = []byte(`{"type":"send_message"`)
	socketMessage = []byte(`42["new_message"`)

	joinedPrefix = []byte(`{"type":"room_joined"`)

	inbox = []byte(`"room":"@me"`)
)

// isMessage is the fast path of kindOf for the most frequent kind.
func (d dialect) isMessage(text []byte) bool {
	switch {
	case d.socketIO:
		return bytes.HasPrefix(text, socketMessage)
	case d.signals:
		return bytes.HasPrefix(text, plainSignal)
	case d.echoes:
		return bytes.HasPrefix(text, plainSent)
	}
	return bytes.HasPrefix(text, plainMessage)
}

// kindOf looks only at the beginning of a text: every server here writes the
// type first.
func (d dialect) kindOf(text []byte) kind {
	prefix := typePrefix
	if d.socketIO {
		prefix = socketPrefix
	}
	rest, ok := bytes.CutPrefix(text, prefix)
	if !ok {
		return d.engineKind(text)
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return other
	}
	switch string(rest[:end]) {
	case "ack":
		return acked
	case "presence":
		return presence
	case "room_joined":
		if bytes.Contains(rest[:min(len(rest), 200)], inbox) {
			return other // the inbox comes with every connection
		}
		return joined
	case "room_left":
		return left
	case "error":
		return refused
	}
	return other
}

func (d dialect) engineKind(text []byte) kind {
	switch {
	case !d.socketIO || len(text) == 0:
		return other
	case text[0] == '0':
		return opened
	case text[0] == '2':
		return heartbeat
	case bytes.HasPrefix(text, []byte("44")):
		return refused
	}
	return other
}

// Answers of Engine.IO.
var (
	socketHello = appendFrame(nil, opText, []byte("40"))
	engineAlive = appendFrame(nil, opText, []byte("3"))
)

// move is the frame with which a client of this dialect joins or leaves a room
// on its connection.
func (d dialect) move(typ, room string) []byte {
	return appendFrame(nil, opText, fmt.Appendf(nil, `{"type":%q,"id":"m","payload":{"name":%q}}`, typ, room))
}

// enter is the frame with which a client joins a room that it was refused
// before, at a position if it has one. It has no id: its ack would be taken for
// that of a message.
func (d dialect) enter(room string, since *wire.Position) []byte {
	payload := fmt.Sprintf(`{"name":%q}`, room)
	if since != nil {
		payload = fmt.Sprintf(`{"name":%q,"since":{"epoch":%q,"seq":%d}}`, room, since.Epoch, since.Seq)
	}
	return appendFrame(nil, opText, fmt.Appendf(nil, `{"type":"join_room","payload":%s}`, payload))
}

// template is a message that is made again and again by overwriting its stamp.
type template struct {
	frame []byte
	text  int // where the text begins
	id    int // where the id begins; -1: there is none
}

// template makes messages of a shape whose text has size bytes, at least
// stampChars.
func (d dialect) template(shape string, size int) template {
	text := []byte(shapedText(shape, size))
	stamp{}.put(text)
	id := bytes.Repeat([]byte{'0'}, numberChars)
	format := `{"type":"send_message","payload":%s}`
	switch {
	case d.socketIO:
		format = `42["send_message",%s]`
	case d.signals:
		format = `{"type":"signal","id":"` + string(id) + `","payload":%s}`
	case d.ids:
		format = `{"type":"send_message","id":"` + string(id) + `","payload":%s}`
	}
	payload := fmt.Sprintf(`{"message":"%s"%s}`, text, beside(shape))
	t := template{frame: appendFrame(nil, opText, fmt.Appendf(nil, format, payload)), id: -1}
	t.text = bytes.Index(t.frame, mark) + 1
	if d.ids {
		t.id = bytes.Index(t.frame, id)
	}
	return t
}

// append appends the message with stamp s.
func (t *template) append(dst []byte, s stamp) []byte {
	s.put(t.frame[t.text:])
	if t.id >= 0 {
		putHex(t.frame[t.id:], s.number)
	}
	return append(dst, t.frame...)
}
