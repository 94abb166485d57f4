package tabletest

import (
	"encoding/json"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// Line is one line of a script: a command, or time that passes.
type Line struct {
	who      table.User
	typ      string
	payload  string
	refused  bool
	wait     time.Duration
	together []Line
}

// User is a command of a user; an empty payload is none.
func User(uid, typ, payload string) Line {
	return Line{who: table.User{From: table.FromUser, UID: uid, Name: uid}, typ: typ, payload: payload}
}

// Service is a command of somebody with access to NATS.
func Service(typ, payload string) Line {
	return Line{who: table.User{From: table.FromService}, typ: typ, payload: payload}
}

// Joined has a user enter.
func Joined(uid string) Line {
	return Line{who: table.User{UID: uid, Name: uid}, typ: table.TypeJoined}
}

// Left has a user go.
func Left(uid string) Line {
	return Line{who: table.User{UID: uid, Name: uid}, typ: table.TypeLeft}
}

// TookOver has another node go on.
func TookOver() Line { return Line{typ: table.TypeTookOver} }

// Guest is the same line of somebody without a token.
func (l Line) Guest() Line {
	l.who.Guest = true
	return l
}

// Refused is the same line, which must be refused; all others must not be.
func (l Line) Refused() Line {
	l.refused = true
	return l
}

// Wait has time pass. What the table wants to do meanwhile it does on time.
func Wait(d time.Duration) Line { return Line{wait: d} }

// Together are commands of which the game says that their order makes no
// difference: the table that they lead to is the same in each.
func Together(lines ...Line) Line { return Line{together: lines} }

// command is what the line sends, when it is the nth of its script.
func (l Line) command(n int) table.Command {
	c := table.Command{Type: l.typ, User: l.who, Seed: seed(n)}
	if l.payload != "" {
		c.Payload = json.RawMessage(l.payload)
	}
	return c
}
