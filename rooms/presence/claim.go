package presence

// origin is one process of a node, as the source of claims, and the version of
// its state that has been applied.
type origin struct {
	node        string
	boot        Boot
	incarnation uint64
	version     uint64
	users       int // its claims in the table
}

// remote is another node.
type remote struct {
	*origin                  // the process that is alive
	reassembly   *reassembly // of a split Diff, some of whose parts are missing; nil: none
	predecessors []*origin   // earlier processes whose users may still reconnect
}

// outranks reports whether o's record of a user is shown when p has one too.
// Every node must choose the same: the higher incarnation wins, because in a
// rolling deploy the user usually went there last. A wrong clock costs no more
// than showing the older of two names.
func (o *origin) outranks(p *origin) bool {
	if o.incarnation != p.incarnation {
		return o.incarnation > p.incarnation
	}
	return o.node > p.node
}

// claim is one node's record of one user. The claims on a user form a linked
// list whose head is the one that is shown; the index holds the head.
type claim struct {
	user User
	from *origin
	next *claim

	// Only in claims of this node; never both zero between calls of Table's
	// methods.
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

// with inserts n into the list c by rank and returns the new head.
func (c *claim) with(n *claim) *claim {
	at := &c
	for *at != nil && (*at).from.outranks(n.from) {
		at = &(*at).next
	}
	n.next = *at
	*at = n
	return c
}

// without removes a claim from the list c and returns the new head.
func (c *claim) without(removed *claim) *claim {
	at := &c
	for *at != removed {
		at = &(*at).next
	}
	*at = removed.next
	return c
}

// put records that o has u, with its present name and avatar.
func (t *Table) put(o *origin, u User) *claim {
	p, known := t.index.find(u.UID)
	if !known {
		c := &claim{user: u, from: o}
		o.users++
		t.index.insert(p, c)
		t.recordChange(o, u.UID, nil, &u, nil, &u)
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
		t.recordChange(o, u.UID, &shown, &head.user, nil, &u)
		return c
	}
	before := c.user
	c.user = u
	t.recordChange(o, u.UID, &shown, &head.user, &before, &u)
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
		t.recordChange(o, uid, &shown, nil, &c.user, nil)
		return
	}
	t.index.set(p, head)
	t.recordChange(o, uid, &shown, &head.user, &c.user, nil)
}

// recordChange writes a change made by o into the journals: what the room shows
// changed from shown to shows, and, if o is this node, its own record from had
// to has.
func (t *Table) recordChange(o *origin, uid string, shown, shows, had, has *User) {
	t.roomChanges.record(uid, shown, shows)
	if o == &t.self {
		t.localChanges.record(uid, had, has)
	}
}

// ownClaim returns this node's claim on uid, or nil.
func (t *Table) ownClaim(uid string) *claim {
	p, known := t.index.find(uid)
	if !known {
		return nil
	}
	return t.index.at(p).of(&t.self)
}
