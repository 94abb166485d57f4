package presence

import "slices"

// LocalDiff returns what changed of this node's own users since the last call,
// to be sent to the other nodes, and false if nothing did. Each Diff it returns
// is the next version, so it must be sent; one that is lost costs every other
// node a full state. Send d.Split(0).
func (t *Table) LocalDiff() (Diff, bool) {
	joined, left := t.own.drain(func(uid string) (User, bool) {
		if c := t.mine(uid); c != nil {
			return c.user, true
		}
		return User{}, false
	})
	if len(joined)+len(left) == 0 {
		return Diff{}, false
	}
	t.self.version++
	d := t.head()
	d.Joined = joined
	for _, u := range left {
		d.Left = append(d.Left, u.UID)
	}
	return d, true
}

// LocalState returns all of this node's own users, as of the last LocalDiff:
// exactly what a node that missed nothing knows. What changed since follows in
// the next LocalDiff. It costs a walk over the whole room. Send d.Split(0).
func (t *Table) LocalState() Diff {
	d := t.head()
	d.Full = true
	for head := range t.index.all {
		c := head.of(&t.self)
		if c == nil {
			continue
		}
		r, touched := t.own.was.get(c.user.UID)
		switch {
		case !touched:
			d.Joined = append(d.Joined, c.user)
		case r.was != nil:
			d.Joined = append(d.Joined, *r.was)
		}
	}
	for uid, r := range t.own.was.all {
		if r.was != nil && t.mine(uid) == nil {
			d.Joined = append(d.Joined, *r.was)
		}
	}
	sortUsers(d.Joined)
	return d
}

func (t *Table) head() Diff {
	return Diff{Node: t.self.node, Boot: t.self.boot, Incarnation: t.self.incarnation, Version: t.self.version}
}

// Apply takes in what another node said; the caller has made sure that it is of
// the process that has the node's name now (see [Peers]). True means that
// something of that node is missing: ask it for its state (every further Diff
// says so again until the state is there). What is older than what is known,
// what this node said itself, and what does not pass [Diff.Check] is ignored.
//
// A higher incarnation of the same boot ends everything said before: the room
// was empty when it was made again. With another boot, the users of the one
// before stay until [Table.DropPart], or until they are back and leave.
//
// Should a Diff name a user twice, the last Joined counts, and Joined rather
// than Left.
func (t *Table) Apply(d Diff) (ask bool) {
	if d.Node == t.self.node || d.Check() != nil {
		return false
	}
	o := t.sender(d)
	if d.Incarnation < o.incarnation {
		return false
	}
	if d.Incarnation > o.incarnation {
		t.clear(o.origin)
		o.incarnation, o.version, o.reassembly = d.Incarnation, 0, nil
	}
	if d.Version <= o.version {
		return false
	}
	if !d.Full && d.Version > o.version+1 {
		return true
	}
	d, whole := o.assemble(d)
	if !whole {
		return false
	}
	o.setVersion(d.Version)
	if d.Full {
		t.retain(o.origin, d.Joined)
	}
	for _, uid := range d.Left {
		t.remove(o.origin, uid)
	}
	for _, u := range d.Joined {
		t.put(o.origin, u)
		t.hasReturned(o, u.UID)
	}
	return false
}

// sender returns the node that sent d, with the process that sent it as the
// present one.
func (t *Table) sender(d Diff) *remote {
	o, known := t.others.get(d.Node)
	if !known {
		o = &remote{origin: newOrigin(d)}
		t.others.set(d.Node, o)
		return o
	}
	if d.Boot == o.boot {
		return o
	}
	// A process that was taken for dead and is not starts anew: some of the
	// users that it had named may have returned to the process between.
	t.dropPredecessors(o, func(f *origin) bool { return f.boot == d.Boot })
	if o.users > 0 {
		o.predecessors = append(o.predecessors, o.origin)
	}
	o.origin, o.reassembly = newOrigin(d), nil
	return o
}

func newOrigin(d Diff) *origin {
	return &origin{node: d.Node, boot: d.Boot, incarnation: d.Incarnation}
}

// hasReturned removes a user who is here again from what the processes before
// had said.
func (t *Table) hasReturned(o *remote, uid string) {
	for _, f := range o.predecessors {
		t.remove(f, uid)
	}
	t.dropPredecessors(o, func(f *origin) bool { return f.users == 0 })
}

func (t *Table) dropPredecessors(o *remote, which func(*origin) bool) {
	o.predecessors = slices.DeleteFunc(o.predecessors, func(f *origin) bool {
		if !which(f) {
			return false
		}
		t.clear(f)
		return true
	})
}

// DropPart forgets what a process said that no longer has its node's name: its
// users leave unless they are here by another process or node.
func (t *Table) DropPart(p Part) {
	o, known := t.others.get(p.Node)
	if !known {
		return
	}
	is := func(o *origin) bool { return o.boot == p.Boot && o.incarnation <= p.Upto }
	t.dropPredecessors(o, is)
	if !is(o.origin) {
		return
	}
	t.clear(o.origin)
	if len(o.predecessors) == 0 {
		t.others.delete(p.Node)
		return
	}
	o.version, o.reassembly = 0, nil
}

// DropNode forgets a node and everything it said: its users leave unless they
// are here by another node. The node may come back by any Diff.
func (t *Table) DropNode(node string) {
	o, known := t.others.get(node)
	if !known {
		return
	}
	t.dropPredecessors(o, func(*origin) bool { return true })
	t.clear(o.origin)
	t.others.delete(node)
}

func (t *Table) clear(o *origin) { t.retain(o, nil) }

// retain removes every user of o who is not in keep.
func (t *Table) retain(o *origin, keep []User) {
	if o.users == 0 {
		return
	}
	stays := make(map[string]struct{}, len(keep))
	for _, u := range keep {
		stays[u.UID] = struct{}{}
	}
	gone := make([]string, 0, o.users)
	for head := range t.index.all {
		if head.of(o) == nil {
			continue
		}
		if _, ok := stays[head.user.UID]; !ok {
			gone = append(gone, head.user.UID)
		}
	}
	for _, uid := range gone {
		t.remove(o, uid)
	}
}
