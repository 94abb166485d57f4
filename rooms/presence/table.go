package presence

import (
	"slices"
	"strings"
)

// User is one entry of a room's list. UID is never empty.
type User struct {
	UID      string `json:"uid"`
	Username string `json:"username"`
	AvatarID string `json:"avatar_id"`
}

// Table is the membership of one room as one node sees it. Make it with [New].
// Not safe for concurrent use.
type Table struct {
	self         origin           // this node
	others       dict[*remote]    // every other known node
	index        index            // every user of every node
	sessions     dict[sessionRef] // of this node, connected or kept
	seats        seats            // of this node, kept
	roomChanges  journal          // for Changes
	localChanges journal          // for LocalDiff
}

// New returns an empty table for a node. Its name is unique among nodes; the
// boot is the same for every table of a process, and the incarnation rises with
// every New of the same room in it (see the package comment).
func New(node string, boot Boot, incarnation uint64) *Table {
	return &Table{self: origin{node: node, boot: boot, incarnation: incarnation}}
}

// Count returns how many users are in the room, over all nodes.
func (t *Table) Count() int { return t.index.n }

// Get returns a user's entry, and whether the user is in the room, on any node.
func (t *Table) Get(uid string) (User, bool) {
	p, known := t.index.find(uid)
	if !known {
		return User{}, false
	}
	return t.index.at(p).user, true
}

// List returns up to limit users whose uid is greater than after, sorted by uid
// (byte order), and the after of the next page: "" when this is the last. Users
// who join or leave between two calls shift nobody else to another page. It
// costs a lookup and the page, whatever the size of the room. A limit of zero
// or less lists nobody.
func (t *Table) List(after string, limit int) (users []User, next string) {
	p, found := t.index.find(after)
	if found {
		p.i++
	}
	if limit <= 0 || t.index.n == 0 {
		return nil, ""
	}
	users = make([]User, 0, min(limit, t.index.n))
	for c := range t.index.from(p) {
		if len(users) == limit {
			return users, users[limit-1].UID
		}
		users = append(users, c.user)
	}
	return users, ""
}

// Shown records that a client was just given the list (List, Count) and will
// follow it by Changes: a change made before this and reverted later is
// reported then, although it cancels out.
func (t *Table) Shown() { t.roomChanges.shown++ }

// ShownTo is Shown where the client is one of that user, who is in the room by
// it: that the user itself came and went is not reported for its sake.
func (t *Table) ShownTo(uid string) { t.roomChanges.showTo(uid) }

// Changes returns the net changes of the room since the last call, each list
// sorted by uid. A user with a new name or avatar counts as joined; a user who
// left has the record that was last reported. Changes that cancel out are not
// reported, unless the list was Shown in between.
func (t *Table) Changes() (joined, left []User, changed bool) {
	joined, left = t.roomChanges.drain(t.Get)
	return joined, left, len(joined)+len(left) > 0
}

// NodeVersion is the version of a node's part of the room.
type NodeVersion struct {
	Node        string `json:"node"`
	Boot        Boot   `json:"boot,omitempty"`
	Incarnation uint64 `json:"incarnation"`
	Version     uint64 `json:"version"`
}

// Local returns the version that LocalDiff gave out last: what this node's
// heartbeat reports for the room.
func (t *Table) Local() NodeVersion { return t.self.known() }

// Nodes returns the version known of every node, this one included, sorted by
// name.
func (t *Table) Nodes() []NodeVersion {
	ns := make([]NodeVersion, 0, 1+t.others.len())
	ns = append(ns, t.self.known())
	for _, o := range t.others.all {
		ns = append(ns, o.known())
	}
	slices.SortFunc(ns, func(a, b NodeVersion) int { return strings.Compare(a.Node, b.Node) })
	return ns
}

// Behind compares the version that a node reports of itself with the one that
// was applied here: true means that it must be asked for its state. It may be
// true for a moment when this overtakes a diff; asking then does no harm. As
// for Apply, n must be from the process that currently has the node's name.
func (t *Table) Behind(n NodeVersion) bool {
	if n.Node == t.self.node {
		return false
	}
	o, known := t.others.get(n.Node)
	if !known || n.Boot != o.boot {
		return n.Version > 0
	}
	if n.Incarnation != o.incarnation {
		return n.Incarnation > o.incarnation
	}
	return n.Version > o.version
}

func (o *origin) known() NodeVersion {
	return NodeVersion{Node: o.node, Boot: o.boot, Incarnation: o.incarnation, Version: o.version}
}
