package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Position is a place in a room's log. Epoch names one life of the log; a
// position of another epoch means nothing. It is made of letters and digits.
type Position struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// UnmarshalJSON leaves nothing of what p was before.
func (p *Position) UnmarshalJSON(b []byte) error {
	type plain Position // without this method
	var read plain
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*p = Position(read)
	return nil
}

// MaxResume is the most rooms that ParseResume takes. It bounds what an
// unauthenticated address can make the server hold; how many rooms a client
// may join is decided elsewhere.
const MaxResume = 256

// Resume is one room that a client resumes.
type Resume struct {
	Room  string // as the client named it: may be InboxAlias
	Since Position
}

// ParseResume reads "room:epoch:seq,room:epoch:seq". In a room's name "=", ","
// and ":" are written =3D, =2C, =3A; a plain colon is refused, as what stands
// around it may be the name of another room. Names come back as the client
// wrote them: ParseRoom is for the caller, and so are repeats. Failures are
// *Error with BadRoom, or TooManyRooms above MaxResume.
func ParseResume(s string) ([]Resume, error) {
	if s == "" {
		return nil, nil
	}
	var list []Resume
	for item := range strings.SplitSeq(s, ",") {
		rest, seqText, ok := cutLast(item, ":")
		seq, err := strconv.ParseUint(seqText, 10, 64)
		name, epoch, ok2 := cutLast(rest, ":")
		if !ok || !ok2 || err != nil || name == "" || strings.Contains(name, ":") {
			return nil, Errorf(BadRoom, "resume is room:epoch:seq, comma-separated, with : in a name as =3A; %.64q is not", item)
		}
		if name = unescape(name); !utf8.ValidString(name) {
			return nil, Errorf(BadRoom, "resume names a room that is not valid UTF-8: %.64q", item)
		}
		if len(list) == MaxResume {
			return nil, Errorf(TooManyRooms, "resume names more than %d rooms; join the others afterwards", MaxResume)
		}
		list = append(list, Resume{Room: name, Since: Position{Epoch: epoch, Seq: seq}})
	}
	return list, nil
}

// AppendResume is the inverse of one item of ParseResume.
func AppendResume(dst []byte, r Resume) []byte {
	name := escape(r.Room, func(r rune) bool { return r != '=' && r != ',' && r != ':' })
	dst = append(append(dst, name...), ':')
	dst = append(append(dst, r.Since.Epoch...), ':')
	return strconv.AppendUint(dst, r.Since.Seq, 10)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}
