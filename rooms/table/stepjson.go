package table

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A step is written once and read by every node, so that is done by hand, without
// reflection: what encoding/json makes of a Step, and what it reads of that. Any
// other text of the same meaning is read by encoding/json.

// Append appends the step as JSON. It is an error when a payload is not.
func (s *Step) Append(dst []byte) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"rules":`...), int64(s.Rules), 10)
	dst = appendString(append(dst, `,"node":`...), s.Node)
	dst = strconv.AppendUint(append(dst, `,"prev":`...), s.Prev, 10)
	dst = strconv.AppendInt(append(dst, `,"now":`...), s.Now, 10)
	if s.Taken != 0 {
		dst = strconv.AppendUint(append(dst, `,"taken":`...), s.Taken, 10)
	}
	if s.TakenAt != 0 {
		dst = strconv.AppendInt(append(dst, `,"taken_at":`...), s.TakenAt, 10)
	}
	if len(s.Done) > 0 {
		dst = s.appendDone(append(dst, `,"done":[`...))
	}
	if len(s.Came) > 0 {
		dst = appendStrings(append(dst, `,"came":[`...), s.Came)
	}
	if len(s.Gone) > 0 {
		dst = appendStrings(append(dst, `,"gone":[`...), s.Gone)
	}
	if len(s.Events) > 0 {
		dst = append(dst, `,"events":[`...)
		for i := range s.Events {
			var err error
			if dst, err = s.Events[i].append(dst); err != nil {
				return nil, err
			}
		}
		dst[len(dst)-1] = ']'
	}
	if len(s.Hidden) > 0 {
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"hidden":"`...), s.Hidden)
		dst = append(dst, '"')
	}
	return append(dst, '}'), nil
}

// size is about what Append appends.
func (s *Step) size() int {
	size := 128 + 40*len(s.Done) + 2*len(s.Hidden)
	for i := range s.Events {
		size += len(s.Events[i].Type) + len(s.Events[i].Payload) + 32
	}
	return size
}

// Encode is Append to nothing.
func (s *Step) Encode() ([]byte, error) { return s.Append(make([]byte, 0, s.size())) }

func (s *Step) appendDone(dst []byte) []byte {
	for _, d := range s.Done {
		dst = d.Key.appendText(append(dst, `{"k":"`...))
		dst = append(dst, '"')
		if d.Refused != "" {
			dst = appendString(append(dst, `,"r":`...), d.Refused)
		}
		dst = append(dst, "},"...)
	}
	dst[len(dst)-1] = ']'
	return dst
}

// append appends the event and a comma.
func (ev *StoredEvent) append(dst []byte) ([]byte, error) {
	dst = appendString(append(dst, `{"type":`...), ev.Type)
	if len(ev.Payload) > 0 {
		if !json.Valid(ev.Payload) {
			return nil, fmt.Errorf("table: the payload of %s is not JSON: %.100q", ev.Type, ev.Payload)
		}
		dst = append(append(dst, `,"payload":`...), ev.Payload...)
	}
	if ev.To != nil {
		to, err := json.Marshal(*ev.To)
		if err != nil {
			return nil, fmt.Errorf("table: encode for whom %s is: %w", ev.Type, err)
		}
		dst = append(append(dst, `,"to":`...), to...)
	}
	if ev.Sealed {
		dst = append(dst, `,"sealed":true`...)
	}
	return append(dst, "},"...), nil
}

// appendStrings appends texts, of which there is one at least, and the end of their
// array.
func appendStrings(dst []byte, texts []string) []byte {
	for _, text := range texts {
		dst = append(appendString(dst, text), ',')
	}
	dst[len(dst)-1] = ']'
	return dst
}

// appendString appends text as a JSON string.
func appendString(dst []byte, text string) []byte {
	if plain(text) < len(text) {
		quoted, _ := json.Marshal(text) // a string has no error
		return append(dst, quoted...)
	}
	dst = append(append(dst, '"'), text...)
	return append(dst, '"')
}

// plain is how much of text can stand in a JSON string as it is.
func plain[T string | []byte](text T) int {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return plainUTF8(text[:i], ascii)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return plainUTF8(text, ascii)
}

func plainUTF8[T string | []byte](text T, ascii bool) int {
	if ascii || utf8.ValidString(string(text)) {
		return len(text)
	}
	return 0
}

// DecodeStep reads a step. What is hidden stays so until Reveal. The payloads are
// parts of body.
func DecodeStep(body []byte) (s Step, err error) {
	r := stepReader{text: body}
	if s, ok := r.step(); ok {
		return s, nil
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("table: decode a step: %w", err)
	}
	return s, nil
}

// stepReader reads what Append writes, and nothing else.
type stepReader struct {
	text   []byte // what follows
	failed bool   // something else was there
}

func (r *stepReader) step() (s Step, ok bool) {
	r.want(`{"rules":`)
	s.Rules = int(r.number())
	r.want(`,"node":`)
	s.Node = r.str()
	r.want(`,"prev":`)
	s.Prev = r.number()
	r.want(`,"now":`)
	s.Now = int64(r.number())
	if r.next(`,"taken":`) {
		s.Taken = r.number()
	}
	if r.next(`,"taken_at":`) {
		s.TakenAt = int64(r.number())
	}
	if r.next(`,"done":[`) {
		for more := true; more; more = r.next(",") {
			s.Done = append(s.Done, r.done())
		}
		r.want("]")
	}
	if r.next(`,"came":[`) {
		s.Came = r.strs()
	}
	if r.next(`,"gone":[`) {
		s.Gone = r.strs()
	}
	if r.next(`,"events":[`) {
		for more := true; more; more = r.next(",") {
			s.Events = append(s.Events, r.event())
		}
		r.want("]")
	}
	if r.next(`,"hidden":`) {
		var err error
		s.Hidden, err = base64.StdEncoding.DecodeString(r.str())
		r.failed = r.failed || err != nil
	}
	r.want("}")
	return s, !r.failed && len(r.text) == 0
}

func (r *stepReader) done() (d Done) {
	r.want(`{"k":"`)
	if len(r.text) < keyChars || d.Key.UnmarshalText(r.text[:keyChars]) != nil {
		r.failed = true
		return d
	}
	r.text = r.text[keyChars:]
	r.want(`"`)
	if r.next(`,"r":`) {
		d.Refused = r.str()
	}
	r.want("}")
	return d
}

func (r *stepReader) event() (ev StoredEvent) {
	r.want(`{"type":`)
	ev.Type = r.str()
	if r.next(`,"payload":`) {
		ev.Payload = r.value()
	}
	if r.next(`,"to":`) {
		ev.To = new([]string)
		r.failed = r.failed || json.Unmarshal(r.value(), ev.To) != nil
	}
	ev.Sealed = r.next(`,"sealed":true`)
	r.want("}")
	return ev
}

// next takes what, if that is next.
func (r *stepReader) next(what string) bool {
	if len(r.text) < len(what) || string(r.text[:len(what)]) != what {
		return false
	}
	r.text = r.text[len(what):]
	return true
}

func (r *stepReader) want(what string) { r.failed = !r.next(what) || r.failed }

// number takes one of 18 digits at most, which is written in one way.
func (r *stepReader) number() (n uint64) {
	digits := 0
	for digits < len(r.text) && r.text[digits] >= '0' && r.text[digits] <= '9' {
		n = 10*n + uint64(r.text[digits]-'0')
		digits++
	}
	r.failed = r.failed || digits == 0 || digits > 18 || digits > 1 && r.text[0] == '0'
	r.text = r.text[digits:]
	return n
}

// str takes a string without escapes.
func (r *stepReader) str() string {
	r.want(`"`)
	n := plain(r.text)
	if n == len(r.text) || r.text[n] != '"' {
		r.failed = true
		return ""
	}
	text := string(r.text[:n])
	r.text = r.text[n+1:]
	return text
}

// strs takes strings up to the end of their array.
func (r *stepReader) strs() (list []string) {
	for more := true; more && !r.failed; more = r.next(",") {
		list = append(list, r.str())
	}
	r.want("]")
	return list
}

// value takes an object, an array or a string: up to the bracket or the quote that
// closes it. That it is JSON in between, Append has made sure.
func (r *stepReader) value() json.RawMessage {
	depth := 0
scan:
	for i := 0; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			i += quoted(r.text[i:])
		case c == '{' || c == '[':
			depth++
			continue
		case c == '}' || c == ']':
			depth--
		case depth > 0:
			continue
		}
		if depth > 0 {
			continue
		}
		if i >= len(r.text) || r.text[i] != '"' && r.text[i] != '}' && r.text[i] != ']' {
			break scan // a number or a word, which none of ours are, or no end
		}
		value := r.text[: i+1 : i+1]
		r.text = r.text[i+1:]
		return value
	}
	r.failed = true
	return nil
}

// quoted is where the string ends that text begins with: at its second quote.
func quoted(text []byte) int {
	for at := 1; ; {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return len(text)
		}
		at += n
		escapes := 0
		for text[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
		at++
	}
}
