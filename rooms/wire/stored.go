package wire

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stored is the body of an event as it lies in a room's log, after the one scan
// that checks it and finds all that its frame is made of. It shares memory with
// the body.
type Stored struct {
	typ     []byte
	payload []byte  // nil when absent or null
	members members // of the payload
	message bool    // what is absent of room_id, sent and time is added
}

// ReadStored reads the body of a message on a room's subject. A failure is a
// *Error; such a body reaches no client.
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
	st := Stored{typ: typ, members: env.members, message: isMessage(string(typ))}
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
	case isMessage(typ) && (len(payload) == 0 || payload[0] != '{'):
		return Errorf(BadPayload, "the payload of %s must be an object with message", strings.Clone(typ))
	}
	return nil
}

func isMessage(typ string) bool { return typ == TypeNewMessage || typ == TypePrivateMessage }

// Event is what clients see of the event: its type and payload, the room's
// label and the sequence. What a message may leave out comes from there and
// from logTime, the log's own in RFC 3339.
func (st *Stored) Event(label string, seq uint64, logTime string) Event {
	ev := Event{Type: typeName(st.typ), Room: label, Seq: seq, Payload: slices.Clip(st.payload)}
	if st.incomplete() {
		ev.Payload = st.appendPayload(make([]byte, 0, len(st.payload)+st.added(label, logTime)), label, logTime)
	}
	return ev
}

// FrameSize is the most that AppendFrame appends.
func (st *Stored) FrameSize(label, logTime string) int {
	const names = len(`{"type":"","room":,"seq":,"payload":}`) + maxDigits
	return MaxFrameHeader + names + len(st.typ) + stringSize(label) + len(st.payload) + st.added(label, logTime)
}

// maxDigits is the length of the greatest sequence, and of the greatest time.
const maxDigits = len("18446744073709551615")

// added is the most that appendPayload adds to the payload.
func (st *Stored) added(label, logTime string) int {
	if !st.incomplete() {
		return 0
	}
	return len(`,"room_id":,"sent":"","time":`) + stringSize(label) + stringSize(logTime) + maxDigits
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
	if len(st.payload) > 0 {
		dst = st.appendPayload(append(dst, `,"payload":`...), label, logTime)
	}
	return fixHeader(append(dst, '}'), start, text)
}

func (st *Stored) incomplete() bool {
	const all = memberRoomID | memberSent | memberTime
	return st.message && st.members&all != all
}

// appendPayload appends the payload as it was sent, with what it lacks at its
// end. A name that it has is never added, whatever its value: the names stay
// single for readers that take the last of them.
func (st *Stored) appendPayload(dst []byte, label, logTime string) []byte {
	if !st.incomplete() {
		return append(dst, st.payload...)
	}
	dst = append(dst, st.payload[:len(st.payload)-1]...) // without its brace
	comma := st.members&anyMember != 0
	name := func(m members, quoted string) bool {
		if st.members&m != 0 {
			return false
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(dst, quoted...)
		return true
	}
	if name(memberRoomID, `"room_id":`) {
		dst = AppendString(dst, label)
	}
	if st.members&memberSent == 0 || st.members&memberTime == 0 {
		if at, err := time.Parse(time.RFC3339Nano, logTime); err == nil {
			if name(memberSent, `"sent":`) {
				dst = AppendString(dst, logTime)
			}
			if name(memberTime, `"time":`) {
				dst = strconv.AppendInt(dst, at.UnixMilli(), 10)
			}
		}
	}
	return append(dst, '}')
}
