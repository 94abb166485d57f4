package presence

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	// PartBytes is the default size of the messages that Split makes. A NATS
	// server takes 1 MiB; with a quarter of that, events need not wait long
	// behind a large state on the same connection.
	PartBytes = 256 << 10

	// MaxParts is the most parts a message may have; Apply ignores one with
	// more, Split makes larger parts instead.
	MaxParts = 1024
)

// Diff is what one node tells the others about its own users of one room.
//
// Versions of an incarnation start at 1 and are consecutive; version 0 is the
// empty room. A full Diff holds all of the node's users at that version, any
// other what changed since the version before. A Diff cut by Split has Part 1
// to Parts; otherwise both are 0.
//
// Within one boot a higher incarnation is newer. Between two boots incarnations
// are not comparable; nodes of version 0, which know no boots, compare them all
// the same.
type Diff struct {
	Node        string   `json:"node"`
	Boot        Boot     `json:"boot,omitempty"`
	Incarnation uint64   `json:"incarnation"`
	Version     uint64   `json:"version"`
	Full        bool     `json:"full,omitempty"`
	Part        int      `json:"part,omitempty"`
	Parts       int      `json:"parts,omitempty"`
	Joined      []User   `json:"joined,omitempty"` // joined, or changed name or avatar
	Left        []string `json:"left,omitempty"`   // uids; none in a full Diff
}

// DecodeDiff reads a Diff from JSON and checks it.
func DecodeDiff(data []byte) (Diff, error) {
	var d Diff
	if err := json.Unmarshal(data, &d); err != nil {
		return Diff{}, fmt.Errorf("presence: decode a diff of %d bytes: %w", len(data), err)
	}
	if err := d.Check(); err != nil {
		return Diff{}, err
	}
	return d, nil
}

// Check returns why Apply would ignore d, or nil. No table produces such a
// Diff.
func (d Diff) Check() error {
	var bad error
	switch {
	case d.Node == "":
		bad = errors.New("it names no node")
	case d.Part < 0 || d.Parts < 0 || d.Part > d.Parts || d.Part == 0 && d.Parts > 0:
		bad = fmt.Errorf("it is part %d of %d", d.Part, d.Parts)
	case d.Parts > MaxParts:
		bad = fmt.Errorf("it has %d parts, the limit is %d", d.Parts, MaxParts)
	case d.Version == 0 && (!d.Full || len(d.Joined) > 0):
		bad = errors.New("version 0 is the empty room and only a full state can say so")
	case d.Full && len(d.Left) > 0:
		bad = errors.New("a full state says who left")
	}
	for _, u := range d.Joined {
		if u.UID == "" {
			bad = errors.New("a user who joined has no uid")
		}
	}
	for _, uid := range d.Left {
		if uid == "" {
			bad = errors.New("a user who left has no uid")
		}
	}
	if bad != nil {
		return fmt.Errorf("presence: diff of node %q, incarnation %d, version %d: %w", d.Node, d.Incarnation, d.Version, bad)
	}
	return nil
}

// Split cuts d into parts whose JSON is at most limit bytes each, or returns d
// alone if it fits. A limit of zero or less means PartBytes. A single user
// larger than the limit is a part of its own, and the limit gives way to
// MaxParts. The parts must be sent in order and with no other Diff of this node
// between them: Apply takes effect with the last of them.
func (d Diff) Split(limit int) []Diff {
	if limit <= 0 {
		limit = PartBytes
	}
	parts := d.split(limit)
	for len(parts) > MaxParts {
		limit *= 2
		parts = d.split(limit)
	}
	if len(parts) == 1 {
		return []Diff{d}
	}
	for i := range parts {
		parts[i].Part, parts[i].Parts = i+1, len(parts)
	}
	return parts
}

func (d Diff) split(limit int) []Diff {
	head := d
	head.Joined, head.Left = nil, nil
	// Everything but the users, with the longest numbers there can be.
	const frame = len(`{"node":,"boot":"0123456789abcdef","incarnation":18446744073709551615,"version":18446744073709551615,` +
		`"full":true,"part":1024,"parts":1024,"joined":[],"left":[]}`)
	space := limit - frame - jsonLen(d.Node)

	var parts []Diff
	j, l, used := 0, 0, 0 // Joined[j:] and Left[l:] are not in a finished part
	cut := func(toJ, toL int) {
		p := head
		p.Joined, p.Left = d.Joined[j:toJ:toJ], d.Left[l:toL:toL]
		parts = append(parts, p)
		j, l, used = toJ, toL, 0
	}
	for i, u := range d.Joined {
		size := len(`{"uid":,"username":,"avatar_id":},`) + jsonLen(u.UID) + jsonLen(u.Username) + jsonLen(u.AvatarID)
		if used > 0 && used+size > space {
			cut(i, 0)
		}
		used += size
	}
	for i, uid := range d.Left {
		size := len(`,`) + jsonLen(uid)
		if used > 0 && used+size > space {
			cut(len(d.Joined), i)
		}
		used += size
	}
	cut(len(d.Joined), len(d.Left))
	return parts
}

// jsonLen returns at least the length of s as encoding/json writes it.
func jsonLen(s string) int {
	const escaped = len(`\u0000`)
	n := len(`""`)
	for _, r := range s {
		switch {
		case r < ' ', r == '"', r == '\\', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029':
			n += escaped
		case r == utf8.RuneError: // also what is no UTF-8
			n += escaped
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}
