package wire

import (
	"slices"
	"strconv"
	"strings"
)

// Stored is an event of a room's log, validated and parsed by a single scan for
// what its frame is made of. It shares memory with the body.
type Stored struct {
	typ     []byte
	payload []byte  // nil when absent or null
	members members // of the payload
	message bool    // what is absent of room_id, sent and time is added
	author  Author  // adds its mark and takes out what the payload claims; FromUnknown: neither
}

// ReadStored parses the body of a message on a room's subject. The error is a
// *Error; such an event is not delivered.
func ReadStored(body []byte) (Stored, error) {
	env, _, err := readEnvelope(body)
	if err != nil {
		return Stored{}, err
	}
	return env.stored()
}

// stored checks what only an event for the log must be.
func (env *envelope) stored() (Stored, error) {
	typ, ok := typeBytes(env.fields[fieldType])
	if !ok {
		return Stored{}, errBadType()
	}
	if _, ok := stringBytes(env.fields[fieldRoom]); !ok {
		return Stored{}, errBadRoomField()
	}
	st := Stored{typ: typ, members: env.members, message: IsMessage(string(typ))}
	if payload := env.fields[fieldPayload]; !isNull(payload) {
		st.payload = payload
	}
	return st, checkLogged(string(typ), st.payload)
}

// checkLogged reports why an event with a valid type and payload may not be
// logged. It keeps nothing of typ, which so need not be made for it.
func checkLogged(typ string, payload []byte) error {
	switch {
	case Reserved(typ):
		return Errorf(BadType, "type %q is made by the server only; inject another", strings.Clone(typ))
	case IsMessage(typ) && (len(payload) == 0 || payload[0] != '{'):
		return Errorf(BadPayload, "the payload of %s must be an object with message", strings.Clone(typ))
	}
	return nil
}

// Marked reports whether the event shows its author, as set by SetAuthor:
// others are shown unchanged.
func (st *Stored) Marked() bool { return st.message }

// SetAuthor sets the verified author of the event. Until then it is
// FromUnknown.
func (st *Stored) SetAuthor(a Author) {
	if st.Marked() {
		st.author = a
	}
}

// IsMessage reports whether events of this type are what people say: a Message
// is their payload.
func IsMessage(typ string) bool { return typ == TypeNewMessage || typ == TypePrivateMessage }

// Event is what clients see of the event: its type and payload, the room's
// label, the sequence and logTime, the log's own in RFC 3339. What a message
// may leave out comes from there.
func (st *Stored) Event(label string, seq uint64, logTime string) Event {
	ev := Event{Type: typeName(st.typ), Room: label, Seq: seq, At: LogMillis(logTime), Payload: slices.Clip(st.payload)}
	if st.altered() {
		ev.Payload = st.appendPayload(make([]byte, 0, len(st.payload)+st.added(label, logTime)), label, logTime, ev.At)
	}
	return ev
}

// FrameSize returns the most bytes that AppendFrame appends.
func (st *Stored) FrameSize(label, logTime string) int {
	const names = len(`{"type":"","room":,"seq":,"at":,"payload":}`) + 2*maxDigits
	return MaxFrameHeader + names + len(st.typ) + stringSize(label) + len(st.payload) + st.added(label, logTime)
}

// maxDigits is the length of the greatest sequence, and of the greatest time.
const maxDigits = len("18446744073709551615")

// added is the most that appendPayload adds to the payload.
func (st *Stored) added(label, logTime string) int {
	n := 0
	if st.incomplete() {
		n = len(`,"room_id":,"sent":"","time":`) + stringSize(label) + stringSize(logTime) + maxDigits
	}
	if mark := st.author.mark(); mark != "" {
		n += len(`,`) + len(mark)
	}
	return n
}

// AppendFrame appends the text frame of Event, which it does not make.
func (st *Stored) AppendFrame(dst []byte, label string, seq uint64, logTime string) []byte {
	start := len(dst)
	dst = appendGuessedHeader(dst, st.FrameSize(label, logTime)-MaxFrameHeader)
	text := len(dst)
	dst = append(append(append(dst, `{"type":"`...), st.typ...), '"')
	if label != "" {
		dst = AppendString(append(dst, `,"room":`...), label)
	}
	if seq != 0 {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), seq, 10)
	}
	at := LogMillis(logTime)
	if at != 0 {
		dst = strconv.AppendInt(append(dst, `,"at":`...), at, 10)
	}
	if len(st.payload) > 0 {
		dst = st.appendPayload(append(dst, `,"payload":`...), label, logTime, at)
	}
	return fixHeader(append(dst, '}'), start, text)
}

func (st *Stored) incomplete() bool {
	const all = memberRoomID | memberSent | memberTime
	return st.message && st.members&all != all
}

// altered reports whether clients see another payload than was stored.
func (st *Stored) altered() bool {
	return st.incomplete() || st.author.mark() != "" || st.members&st.author.claims() != 0
}

// appendPayload appends the payload as it was sent, without what it may not
// claim, and with what it lacks at its end. A name that it has is never added,
// whatever its value: the names stay single for readers that take the last of
// them. at is logTime in ms since 1970; 0: it is none.
func (st *Stored) appendPayload(dst []byte, label, logTime string, at int64) []byte {
	if !st.altered() {
		return append(dst, st.payload...)
	}
	dst, comma := st.appendKept(dst)
	name := func(quoted string) {
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(dst, quoted...)
	}
	if st.lacks(memberRoomID) {
		name(`"room_id":`)
		dst = AppendString(dst, label)
	}
	if at != 0 && st.lacks(memberSent) {
		name(`"sent":`)
		dst = AppendString(dst, logTime)
	}
	if at != 0 && st.lacks(memberTime) {
		name(`"time":`)
		dst = strconv.AppendInt(dst, at, 10)
	}
	if mark := st.author.mark(); mark != "" {
		name(mark)
	}
	return append(dst, '}')
}

// lacks reports whether the payload is a message's that has no m.
func (st *Stored) lacks(m members) bool { return st.message && st.members&m == 0 }

// appendKept appends the payload without its last brace and without what it may
// not claim; some says that it has a member.
func (st *Stored) appendKept(dst []byte) (_ []byte, some bool) {
	claims := st.author.claims()
	if st.members&claims == 0 {
		return append(dst, st.payload[:len(st.payload)-1]...), st.members&anyMember != 0
	}
	return appendWithout(dst, st.payload, func(name []byte) bool { return claimNamed(name)&claims != 0 })
}
