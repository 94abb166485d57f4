package rooms

import (
	"encoding/binary"
	"encoding/json"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// forwarded is what is sent to the node that decides for a table: a command; with
// Enter, somebody who wants to join and to see the state; with Wake, nothing but
// that the table is to be looked after.
type forwarded struct {
	Type    string
	Payload json.RawMessage
	ID      string
	User    table.User
	Enter   bool
	Stay    bool   // of Enter: somebody who is in already, and only wants to see the state
	Seen    uint64 // of Enter: the last step that the sender knows
	Wake    bool
	Inspect bool // how the table is

	Injected uint64   // of Wake: the log of rooms has a command at that sequence
	After    uint64   // the clock that the node last told the one that forwards it: see freshFor
	Gone     []string // nodes that do not decide, as far as the sender knows
	Insist   bool     // decide, whoever's turn it is: the last step is yours
	By       string   // with Insist: the node that forwards it, if that one takes tables too
}

// repeatable reports whether it may be sent again although nobody knows whether
// it was done.
func (c *forwarded) repeatable() bool { return c.ID != "" || c.Enter || c.Wake || c.Inspect }

// decided is the answer. One with Moved or Expired is not for the sender but for
// the node that has forwarded it: nothing was done.
type decided struct {
	Seq     uint64      `json:"seq,omitempty"`
	Again   bool        `json:"again,omitempty"`
	State   *tableState `json:"state,omitempty"` // of Enter
	Table   *TableInfo  `json:"table,omitempty"` // of Inspect
	Error   *wire.Error `json:"error,omitempty"`
	Moved   *moved      `json:"moved,omitempty"`
	Expired uint64      `json:"expired,omitempty"` // it may be old; the node's clock, to be named as After if it is not
}

// moved is that another node decides.
type moved struct {
	To string `json:"to,omitempty"` // "": the next one of the sender's own list
	// Writer is that To has written the last step, before which this node has had
	// to give way. Otherwise this node does not decide for the table at all.
	Writer bool `json:"writer,omitempty"`
	// Alive is that it has done so after it was taken for gone.
	Alive bool `json:"alive,omitempty"`
	// Older is the version of the rules of a node that leaves the table to one with
	// newer ones; 0: it has another reason.
	Older int `json:"older,omitempty"`
}

// tableState is what a user sees of a table after the step Seq, at the time Now in
// ms since 1970.
type tableState struct {
	State json.RawMessage `json:"state"`
	Seq   uint64          `json:"seq"`
	Now   int64           `json:"now"`
}

// Subjects between nodes about tables: what is forwarded to one, and whether it
// is there.
func tableSubject(node, token string) string { return "roomd.table." + node + "." + token }
func pingSubject(node string) string         { return "roomd.table." + node }

// Flags of a request, in its first byte.
const (
	flagEnter = 1 << iota
	flagStay
	flagWake
	flagInspect
	flagInsist
	flagGuest
)

func (c *forwarded) flags() (flags byte) {
	for i, set := range [...]bool{c.Enter, c.Stay, c.Wake, c.Inspect, c.Insist, c.User.Guest} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

// encode is the request, behind a place for its signature: binary, as it is read for
// every command. A later version adds its fields at the end.
func (c *forwarded) encode() []byte {
	u := &c.User
	out := make([]byte, signedHead, signedHead+64+len(c.Type)+len(c.ID)+len(u.UID)+len(u.Name)+len(u.Avatar)+len(c.Payload))
	out = append(out, c.flags(), byte(u.From))
	for _, n := range [...]uint64{c.Seen, c.Injected, c.After, uint64(len(c.Gone))} {
		out = binary.AppendUvarint(out, n)
	}
	for _, node := range c.Gone {
		out = appendText(out, node)
	}
	for _, text := range [...]string{c.Type, c.ID, u.UID, u.Name, u.Avatar, c.By} {
		out = appendText(out, text)
	}
	return appendText(out, c.Payload)
}

func appendText[T string | json.RawMessage](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// errNoRequest is that a node has signed what is no request.
var errNoRequest = wire.Errorf(wire.Internal, "a request for a table cannot be read")

// decodeForwarded reads what encode has written behind the signature. The payload is
// a part of body.
func decodeForwarded(body []byte) (c forwarded, err error) {
	if len(body) < 2 {
		return c, errNoRequest
	}
	flags := body[0]
	c.Enter, c.Stay, c.Wake = flags&flagEnter != 0, flags&flagStay != 0, flags&flagWake != 0
	c.Inspect, c.Insist = flags&flagInspect != 0, flags&flagInsist != 0
	c.User.From, c.User.Guest = table.From(body[1]), flags&flagGuest != 0
	r := fieldReader{rest: body[2:]}
	c.Seen, c.Injected, c.After = r.number(), r.number(), r.number()
	for n := r.number(); n > 0 && !r.failed; n-- {
		c.Gone = append(c.Gone, string(r.text()))
	}
	for _, text := range [...]*string{&c.Type, &c.ID, &c.User.UID, &c.User.Name, &c.User.Avatar, &c.By} {
		*text = string(r.text())
	}
	if c.Payload = r.text(); len(c.Payload) == 0 {
		c.Payload = nil
	}
	if r.failed {
		return forwarded{}, errNoRequest
	}
	return c, nil
}

// fieldReader reads what follows, until something is not there.
type fieldReader struct {
	rest   []byte
	failed bool
}

func (r *fieldReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *fieldReader) text() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.failed = nil, true
		return nil
	}
	text := r.rest[:n:n]
	r.rest = r.rest[n:]
	return text
}
