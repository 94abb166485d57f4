package presence

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
	return Diff{Node: t.self.node, Incarnation: t.self.incarnation, Version: t.self.version}
}

// Apply takes in what another node said. True means that something of that
// node is missing: ask it for its state (every further Diff says so again until
// the state is there). What is older than what is known, what this node said
// itself, and what does not pass [Diff.Check] is ignored. A higher incarnation
// ends everything the node said before. Should a Diff name a user twice, the last
// Joined counts, and Joined rather than Left.
func (t *Table) Apply(d Diff) (ask bool) {
	if d.Node == t.self.node || d.Check() != nil {
		return false
	}
	o, known := t.others.get(d.Node)
	switch {
	case !known:
		o = &origin{node: d.Node, incarnation: d.Incarnation}
		t.others.set(d.Node, o)
	case d.Incarnation < o.incarnation:
		return false
	case d.Incarnation > o.incarnation:
		// That process is gone, whatever comes next of the new one.
		t.clear(o)
		o.incarnation, o.version, o.partial = d.Incarnation, 0, nil
	}
	if d.Version <= o.version {
		return false
	}
	if !d.Full && d.Version > o.version+1 {
		return true
	}
	d, whole := o.gather(d)
	if !whole {
		return false
	}
	o.reached(d.Version)
	if d.Full {
		t.retain(o, d.Joined)
	}
	for _, uid := range d.Left {
		t.remove(o, uid)
	}
	for _, u := range d.Joined {
		t.put(o, u)
	}
	return false
}

// DropNode forgets a node and everything it said: its users leave unless they
// are here by another node. The node may come back by any Diff.
func (t *Table) DropNode(node string) {
	o, known := t.others.get(node)
	if !known {
		return
	}
	t.clear(o)
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
