package presence

// origin is one process of a node and how much of what it said is known.
type origin struct {
	node        string
	boot        Boot
	incarnation uint64
	version     uint64
	users       int // how many claims it has in the table
}

// remote is another node.
type remote struct {
	*origin                  // the process that speaks
	reassembly   *reassembly // of a Diff whose parts have not all come; nil: none
	predecessors []*origin   // processes before it whose users are still expected back
}

// outranks says whose record of a user is shown when two nodes have one. Every
// node must choose the same: the higher incarnation wins, because in a rolling
// deploy that is, as a rule, where the user went last. A clock that is wrong
// costs no more than the older of two names.
func (o *origin) outranks(p *origin) bool {
	if o.incarnation != p.incarnation {
		return o.incarnation > p.incarnation
	}
	return o.node > p.node
}

// claim is what one node says of one user. The claims of a user form a list,
// the one that is shown first; that one is in the index.
type claim struct {
	user User
	from *origin
	next *claim

	// Only in claims of this node; never both zero outside a method of Table.
	live int   // sessions that are connected
	kept *seat // seats kept for sessions that were cut off
}

// of returns the claim of o in the list that starts at c, or nil.
func (c *claim) of(o *origin) *claim {
	for ; c != nil; c = c.next {
		if c.from == o {
			return c
		}
	}
	return nil
}

// with returns the list c with n at its rank.
func (c *claim) with(n *claim) *claim {
	at := &c
	for *at != nil && (*at).from.outranks(n.from) {
		at = &(*at).next
	}
	n.next = *at
	*at = n
	return c
}

// without returns the list c without gone.
func (c *claim) without(gone *claim) *claim {
	at := &c
	for *at != gone {
		at = &(*at).next
	}
	*at = gone.next
	return c
}

// put records that o has u, now under this name.
func (t *Table) put(o *origin, u User) *claim {
	p, known := t.index.find(u.UID)
	if !known {
		c := &claim{user: u, from: o}
		o.users++
		t.index.insert(p, c)
		t.noted(o, u.UID, nil, &u, nil, &u)
		return c
	}
	head := t.index.at(p)
	shown := head.user
	c := head.of(o)
	if c == nil {
		c = &claim{user: u, from: o}
		o.users++
		head = head.with(c)
		t.index.set(p, head)
		t.noted(o, u.UID, &shown, &head.user, nil, &u)
		return c
	}
	before := c.user
	c.user = u
	t.noted(o, u.UID, &shown, &head.user, &before, &u)
	return c
}

// remove records that o no longer has uid.
func (t *Table) remove(o *origin, uid string) {
	p, known := t.index.find(uid)
	if !known {
		return
	}
	head := t.index.at(p)
	c := head.of(o)
	if c == nil {
		return
	}
	shown := head.user
	o.users--
	head = head.without(c)
	if head == nil {
		t.index.delete(p)
		t.noted(o, uid, &shown, nil, &c.user, nil)
		return
	}
	t.index.set(p, head)
	t.noted(o, uid, &shown, &head.user, &c.user, nil)
}

// noted writes a change by o into the journals: what the room shows, and, if o
// is this node, what other nodes must hear.
func (t *Table) noted(o *origin, uid string, shown, shows, had, has *User) {
	t.room.note(uid, shown, shows)
	if o == &t.self {
		t.own.note(uid, had, has)
	}
}

// mine returns this node's claim on uid, or nil.
func (t *Table) mine(uid string) *claim {
	p, known := t.index.find(uid)
	if !known {
		return nil
	}
	return t.index.at(p).of(&t.self)
}
