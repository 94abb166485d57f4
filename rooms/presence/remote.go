package presence

import "slices"

// LocalDiff returns what changed of this node's own users since the last call,
// to be sent to the other nodes, and false if nothing did. Each Diff it returns
// takes the next version, so it must be sent; one that is lost makes every
// other node ask for the full state. Send d.Split(0).
func (t *Table) LocalDiff() (Diff, bool) {
	joined, left := t.localChanges.drain(func(uid string) (User, bool) {
		if c := t.ownClaim(uid); c != nil {
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

// LocalState returns all of this node's own users as of the last LocalDiff,
// which is what a node that missed nothing has. Later changes follow in the
// next LocalDiff. It walks the whole room. Send d.Split(0).
func (t *Table) LocalState() Diff {
	d := t.head()
	d.Full = true
	for head := range t.index.all {
		c := head.of(&t.self)
		if c == nil {
			continue
		}
		r, touched := t.localChanges.changed.get(c.user.UID)
		switch {
		case !touched:
			d.Joined = append(d.Joined, c.user)
		case r.drained != nil:
			d.Joined = append(d.Joined, *r.drained)
		}
	}
	for uid, r := range t.localChanges.changed.all {
		if r.drained != nil && t.ownClaim(uid) == nil {
			d.Joined = append(d.Joined, *r.drained)
		}
	}
	sortUsers(d.Joined)
	return d
}

func (t *Table) head() Diff {
	return Diff{Node: t.self.node, Boot: t.self.boot, Incarnation: t.self.incarnation, Version: t.self.version}
}

// Apply merges what another node sent; the caller has made sure that it is from
// the process that currently has the node's name (see [Peers]). True means that
// something from that node is missing: ask it for its state (every further Diff
// returns true again until the state is there). A Diff that is older than what
// was applied, or this node's own, or invalid by [Diff.Check], is ignored.
//
// A higher incarnation of the same boot discards everything sent before: the
// room was empty when it was made again. With another boot, the users of the
// previous process stay until [Table.DropProcess], or until they are back and
// leave.
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
	d, whole := o.reassemble(d)
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
		t.removeFromPredecessors(o, u.UID)
	}
	return false
}

// sender returns the node that sent d, with the process that sent it as the
// current one.
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
	// A process that was wrongly taken for dead starts from nothing: some of its
	// users may have moved to the process in between and left from there.
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

// removeFromPredecessors removes a user who is back from the users of the
// earlier processes.
func (t *Table) removeFromPredecessors(o *remote, uid string) {
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

// DropProcess forgets what a process reported that no longer has its node's
// name: its users leave, unless another process or node has them.
func (t *Table) DropProcess(p Process) {
	o, known := t.others.get(p.Node)
	if !known {
		return
	}
	is := func(o *origin) bool { return o.boot == p.Boot && o.incarnation <= p.MaxIncarnation }
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

// DropNode forgets a node and everything it reported: its users leave, unless
// another node has them. Any later Diff brings the node back.
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
	kept := make(map[string]struct{}, len(keep))
	for _, u := range keep {
		kept[u.UID] = struct{}{}
	}
	removed := make([]string, 0, o.users)
	for head := range t.index.all {
		if head.of(o) == nil {
			continue
		}
		if _, ok := kept[head.user.UID]; !ok {
			removed = append(removed, head.user.UID)
		}
	}
	for _, uid := range removed {
		t.remove(o, uid)
	}
}
