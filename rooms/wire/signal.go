package wire

import (
	"slices"
	"strings"
)

// SignalBody returns the body of a signal with ev's type and payload; its other
// fields are left out. A failure, a *Error, says that ReadSignal would refuse
// it.
func SignalBody(ev Event) ([]byte, error) {
	if !ValidType(ev.Type) {
		return nil, errBadType()
	}
	if err := checkSignalType(ev.Type); err != nil {
		return nil, err
	}
	payload, ok := onePayload(ev.Payload)
	if !ok {
		return nil, errBadPayload()
	}
	return encodeBody(ev.Type, payload).Bytes(), nil
}

func checkSignalType(typ string) error {
	if typ != TypeSignal && Reserved(typ) {
		return Errorf(BadType, "type %q is made by the server only; send another", strings.Clone(typ))
	}
	return nil
}

// ReadSignal reads the body of a message on a room's signal subject, which is
// delivered now and not logged: an event of type signal, or of one that nobody
// has reserved. The event has no room yet. What says who it is from carries the
// author's mark and loses what it may not claim; others stay as they are. A
// failure is a *Error; such a body reaches no client.
func ReadSignal(body []byte, author Author) (Event, error) {
	env, _, err := readEnvelope(body)
	if err != nil {
		return Event{}, err
	}
	typ, ok := typeField(env.fields[fieldType])
	if !ok {
		return Event{}, errBadType()
	}
	if err := checkSignalType(typ); err != nil {
		return Event{}, err
	}
	ev := Event{Type: typ}
	payload := env.fields[fieldPayload]
	if !isNull(payload) {
		ev.Payload = slices.Clip(payload)
	}
	if mark, claims := author.mark(), author.claims(); marked(typ) && (mark != "" || env.members&claims != 0) {
		ev.Payload, err = markedPayload(payload, mark, claims)
	}
	return ev, err
}

// markedPayload is the payload with the mark and without the claims. One that
// is no object becomes its member data.
func markedPayload(payload []byte, mark string, claims members) ([]byte, error) {
	dst := make([]byte, 0, len(payload)+len(`{"data":,}`)+len(mark))
	dst, some, err := appendObject(dst, payload, func(name []byte) bool { return claimNamed(name)&claims != 0 })
	if err != nil {
		return nil, err
	}
	if some && mark != "" {
		dst = append(dst, ',')
	}
	return append(append(dst, mark...), '}'), nil
}
