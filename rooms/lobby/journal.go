package lobby

import "iter"

// maxTombstones is how many closed rooms a journal keeps. A node that asks for
// the changes since an older version gets a Full delta.
const maxTombstones = 4096

// Entry is a room as one node knows it.
type Entry struct {
	Name     string
	Users    int64  // on all nodes
	Sessions int64  // on this node
	Seq      uint64 // of its newest event; 0: none
	Active   int64  // time of that event, or else when the room was opened; ms since 1970
}

// Journal holds the rooms that are open on a node, and in which version each
// was changed. The zero value is empty.
type Journal struct {
	version     uint64
	rooms       map[string]*row
	tombstones  []tombstone // oldest first
	compactedTo uint64      // tombstones up to this version were dropped
	scans       uint64
}

type row struct {
	Entry
	version  uint64 // of its last change
	lastScan uint64 // number of the last scan in which it was open
}

type tombstone struct {
	name    string
	version uint64
}

// Update updates the journal to the rooms that are open now. Changes get the
// next version.
func (j *Journal) Update(open iter.Seq[Entry]) {
	if j.rooms == nil {
		j.rooms = make(map[string]*row)
	}
	j.scans++
	next, seen := j.version+1, 0
	for e := range open {
		n := j.rooms[e.Name]
		switch {
		case n == nil:
			n = &row{Entry: e, version: next}
			j.rooms[e.Name] = n
			j.version = next
		case n.Entry != e:
			n.Entry, n.version = e, next
			j.version = next
		}
		if n.lastScan != j.scans {
			n.lastScan = j.scans
			seen++
		}
	}
	if seen < len(j.rooms) {
		j.removeUnseen(next)
	}
}

// removeUnseen replaces the rooms that were not open in the last scan by
// tombstones.
func (j *Journal) removeUnseen(version uint64) {
	for name, n := range j.rooms {
		if n.lastScan != j.scans {
			delete(j.rooms, name)
			j.tombstones = append(j.tombstones, tombstone{name, version})
		}
	}
	j.version = version
	if over := len(j.tombstones) - maxTombstones; over > 0 {
		j.compactedTo = j.tombstones[over-1].version
		j.tombstones = append(j.tombstones[:0:0], j.tombstones[over:]...)
	}
}

// Clear removes all rooms. Nodes that know an earlier version get a Full delta
// next time.
func (j *Journal) Clear() {
	j.version++
	j.rooms, j.tombstones, j.compactedTo = nil, nil, j.version
}

// Version returns the version of the last change.
func (j *Journal) Version() uint64 { return j.version }

// Entries returns the rooms, in no order.
func (j *Journal) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, n := range j.rooms {
			if !yield(n.Entry) {
				return
			}
		}
	}
}

// Since returns what has changed after a version of this journal: a Full delta
// if that is 0, or too old.
func (j *Journal) Since(version uint64) Delta {
	d := Delta{Version: j.version, Full: version == 0 || version < j.compactedTo || version > j.version}
	for _, n := range j.rooms {
		if d.Full || n.version > version {
			d.add(n.Entry)
		}
	}
	if d.Full {
		return d
	}
	for _, t := range j.tombstones {
		if t.version > version && j.rooms[t.name] == nil {
			d.Closed = append(d.Closed, t.name)
		}
	}
	return d
}
