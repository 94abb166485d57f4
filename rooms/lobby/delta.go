package lobby

import (
	"errors"
	"iter"
)

// Delta is what has changed in the rooms of one node, as sent to another. The
// rooms are in columns, which saves the names of fields, and is several times
// as fast to decode.
type Delta struct {
	Version uint64 `json:"version"`        // of the journal
	Full    bool   `json:"full,omitempty"` // all rooms of the node: others are not open there

	Names    []string `json:"names,omitempty"`
	Users    []int64  `json:"users,omitempty"`
	Sessions []int64  `json:"sessions,omitempty"`
	Seqs     []uint64 `json:"seqs,omitempty"`
	Active   []int64  `json:"active,omitempty"`

	Closed []string `json:"gone,omitempty"` // rooms that are not open there any more
}

var errColumns = errors.New("the columns of what a node tells of its rooms are not of one length")

// NewDelta returns a Full delta of a node without a journal: its version is 0.
func NewDelta(rooms iter.Seq[Entry]) Delta {
	d := Delta{Full: true}
	for e := range rooms {
		d.add(e)
	}
	return d
}

func (d *Delta) add(e Entry) {
	d.Names = append(d.Names, e.Name)
	d.Users = append(d.Users, e.Users)
	d.Sessions = append(d.Sessions, e.Sessions)
	d.Seqs = append(d.Seqs, e.Seq)
	d.Active = append(d.Active, e.Active)
}

func (d *Delta) check() error {
	for _, n := range []int{len(d.Users), len(d.Sessions), len(d.Seqs), len(d.Active)} {
		if n != len(d.Names) {
			return errColumns
		}
	}
	return nil
}

func (d *Delta) entry(i int) Entry {
	return Entry{Name: d.Names[i], Users: d.Users[i], Sessions: d.Sessions[i], Seq: d.Seqs[i], Active: d.Active[i]}
}

// Split splits d into parts of at most maxRooms rooms, at least one part. Only
// the first can be Full: the others add to it.
func (d Delta) Split(maxRooms int) iter.Seq[Delta] {
	return func(yield func(Delta) bool) {
		first := true
		for first || len(d.Names)+len(d.Closed) > 0 {
			if !yield(d.cut(maxRooms, first)) {
				return
			}
			first = false
		}
	}
}

// cut removes and returns the next part of d.
func (d *Delta) cut(maxRooms int, first bool) Delta {
	n := min(maxRooms, len(d.Names))
	closed := min(maxRooms-n, len(d.Closed))
	part := Delta{
		Version: d.Version, Full: d.Full && first,
		Names: d.Names[:n], Users: d.Users[:n], Sessions: d.Sessions[:n], Seqs: d.Seqs[:n], Active: d.Active[:n],
		Closed: d.Closed[:closed],
	}
	d.Names, d.Users, d.Sessions, d.Seqs, d.Active = d.Names[n:], d.Users[n:], d.Sessions[n:], d.Seqs[n:], d.Active[n:]
	d.Closed = d.Closed[closed:]
	return part
}
