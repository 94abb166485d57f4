package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// printer writes events, one per line. The first failed write is kept and ends
// it: a closed pipe is the reader's way to say that it has enough.
type printer struct {
	out    io.Writer
	asJSON bool
	layout string      // of the time that a line begins with
	failed func(error) // told once; may be nil
	err    error
}

// event prints those of a batch, for people, one by one.
func (p *printer) event(ev wire.Event) {
	if p.asJSON {
		p.line(oneLine(ev))
		return
	}
	list, err := wire.EachOf(ev)
	if err != nil {
		list = []wire.Event{ev} // as it is
	}
	for _, one := range list {
		if text := show(one); text != "" {
			p.line(p.stamp(one) + " " + text)
		}
	}
}

// stamp is the time at which the log stored the event, or the present time for
// an event that is not logged.
func (p *printer) stamp(ev wire.Event) string {
	switch {
	case ev.At != 0:
		return time.UnixMilli(ev.At).Format(p.layout)
	case ev.Seq != 0:
		return "-" // logged, by a server that did not say when
	}
	return time.Now().Format(p.layout)
}

func (p *printer) line(line string) {
	if p.err != nil {
		return
	}
	if _, err := io.WriteString(p.out, line+"\n"); err != nil {
		p.err = fmt.Errorf("write to stdout: %w", err)
		if p.failed != nil {
			p.failed(p.err)
		}
	}
}

// oneLine is the event as JSON without line breaks.
func oneLine(ev wire.Event) string {
	var b bytes.Buffer
	if err := json.Compact(&b, wire.AppendEvent(nil, ev)); err != nil {
		return fmt.Sprintf(`{"type":"error","payload":{"message":%q}}`, err) // not reached: it was decoded
	}
	return b.String()
}

// show is the event for people; "" for what tells them nothing.
func show(ev wire.Event) string {
	switch ev.Type {
	case wire.TypeWelcome, wire.TypeAck, wire.TypeHeartbeat, wire.TypeHistory, wire.TypeOnlineUsers:
		return ""
	case wire.TypeNewMessage, wire.TypePrivateMessage:
		return showMessage(ev)
	case wire.TypePresence:
		return showPresence(ev)
	case wire.TypeRoomJoined:
		var p wire.RoomJoined
		if json.Unmarshal(ev.Payload, &p) == nil {
			if ev.Room == wire.InboxAlias {
				return ""
			}
			return line(ev, fmt.Sprintf("* joined, %s here", people(p.Count)))
		}
	case wire.TypeRoomLeft:
		var p wire.RoomLeft
		if json.Unmarshal(ev.Payload, &p) == nil {
			return line(ev, "* left: "+p.Reason)
		}
	case wire.TypeError:
		var p wire.ErrorInfo
		if json.Unmarshal(ev.Payload, &p) == nil {
			return line(ev, fmt.Sprintf("! %s: %s", p.Code, p.Message))
		}
	}
	return line(ev, ev.Type+" "+string(ev.Payload))
}

func showMessage(ev wire.Event) string {
	var p wire.Message
	if json.Unmarshal(ev.Payload, &p) != nil {
		return line(ev, ev.Type+" "+string(ev.Payload))
	}
	from := p.From
	if from == "" {
		from = p.Username
	}
	if from == "" {
		from = "(a service)" // users have names
	}
	if ev.Type == wire.TypePrivateMessage {
		from += " (private)"
	}
	text := from + ": " + p.Message
	if p.ImageURL != "" {
		text += " [" + p.ImageURL + "]"
	}
	return line(ev, text)
}

func showPresence(ev wire.Event) string {
	var p wire.PresenceChange
	if json.Unmarshal(ev.Payload, &p) != nil {
		return line(ev, ev.Type+" "+string(ev.Payload))
	}
	var parts []string
	for _, u := range p.Joined {
		parts = append(parts, "+"+u.Username)
	}
	for _, u := range p.Left {
		parts = append(parts, "-"+u.Username)
	}
	if p.More {
		parts = append(parts, "many came or left,")
	}
	parts = append(parts, people(p.Count)+" here")
	return line(ev, "* "+strings.Join(parts, " "))
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// line begins with the room.
func line(ev wire.Event, text string) string {
	room := ev.Room
	if room == "" {
		room = "-"
	}
	return cli.Plain(room) + "  " + cli.Plain(text)
}
