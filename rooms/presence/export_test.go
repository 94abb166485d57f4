package presence

import (
	"fmt"
	"strings"
)

// Split limits and block sizes that tests go around.
const (
	BlockMax = blockMax
	DictFew  = dictListMax
)

// Audit says what is inconsistent inside t.
func (t *Table) Audit() error {
	if err := t.auditIndex(); err != nil {
		return err
	}
	if err := t.auditSessions(); err != nil {
		return err
	}
	for uid, r := range t.roomChanges.changed.all {
		was := r.drained
		if r.shown != t.roomChanges.shown {
			continue // kept for those who were shown the list
		}
		if now, here := t.Get(uid); here && was != nil && now == *was || !here && was == nil {
			return fmt.Errorf("room journal keeps %q, which is as it was", uid)
		}
	}
	for uid, r := range t.localChanges.changed.all {
		was := r.drained
		c := t.ownClaim(uid)
		if c != nil && was != nil && c.user == *was || c == nil && was == nil {
			return fmt.Errorf("own journal keeps %q, which is as it was", uid)
		}
	}
	return nil
}

func (t *Table) auditIndex() error {
	n, prev, users := 0, "", map[*origin]int{}
	nodes := map[string]bool{}
	for b, blk := range t.index.blocks {
		if len(blk) == 0 || len(blk) > blockMax {
			return fmt.Errorf("block %d has %d users", b, len(blk))
		}
		if b > 0 && len(blk)+len(t.index.blocks[b-1]) <= blockMax/2 {
			return fmt.Errorf("blocks %d and %d hold %d users together and are not merged", b-1, b, len(blk)+len(t.index.blocks[b-1]))
		}
	}
	for head := range t.index.all {
		uid := head.user.UID
		if strings.Compare(prev, uid) >= 0 {
			return fmt.Errorf("index has %q after %q", uid, prev)
		}
		n, prev = n+1, uid
		clear(nodes)
		for c := head; c != nil; c = c.next {
			users[c.from]++
			if nodes[c.from.node] {
				return fmt.Errorf("%q is with two processes of node %q", uid, c.from.node)
			}
			nodes[c.from.node] = true
			if c.user.UID != uid || c.next != nil && !c.from.outranks(c.next.from) {
				return fmt.Errorf("claims of %q are out of order", uid)
			}
			if local := c.from == &t.self; local != (c.live > 0 || c.kept != nil) {
				return fmt.Errorf("claim of %q on %q: %d live, kept %v", uid, c.from.node, c.live, c.kept)
			}
		}
	}
	if n != t.index.n || t.self.users != users[&t.self] {
		return fmt.Errorf("index holds %d users (says %d), %d local (says %d)", n, t.index.n, users[&t.self], t.self.users)
	}
	delete(users, &t.self)
	for _, o := range t.others.all {
		if p := o.reassembly; p != nil && p.whole.Version <= o.version {
			return fmt.Errorf("node %q is at version %d, parts of version %d are kept", o.node, o.version, p.whole.Version)
		}
		for _, p := range append([]*origin{o.origin}, o.predecessors...) {
			if p.users != users[p] || p.node != o.node || p != o.origin && (p.users == 0 || p.boot == o.boot) {
				return fmt.Errorf("node %q, boot %s has %d users, says %d", p.node, bootName(p.boot), users[p], p.users)
			}
			delete(users, p)
		}
	}
	if len(users) > 0 {
		return fmt.Errorf("%d nodes that are forgotten still have users", len(users))
	}
	return nil
}

func (t *Table) auditSessions() error {
	live, kept := map[*claim]int{}, 0
	for id, ref := range t.sessions.all {
		if t.ownClaim(ref.who.user.UID) != ref.who {
			return fmt.Errorf("session %q points to a user who is not here", id)
		}
		if ref.kept == nil {
			live[ref.who]++
			continue
		}
		kept++
		if s := ref.kept; s.session != id || s.who != ref.who || t.seats[s.pos] != s {
			return fmt.Errorf("session %q has a seat of another", id)
		}
	}
	chained := 0
	for head := range t.index.all {
		c := head.of(&t.self)
		if c == nil {
			continue
		}
		if c.live != live[c] {
			return fmt.Errorf("user %q says %d live sessions, has %d", c.user.UID, c.live, live[c])
		}
		for s, newer := c.kept, (*seat)(nil); s != nil; s, newer = s.older, s {
			chained++
			if s.newer != newer {
				return fmt.Errorf("kept seats of %q are not linked both ways", c.user.UID)
			}
		}
	}
	if kept != len(t.seats) || kept != chained {
		return fmt.Errorf("%d sessions are kept, %d in the heap, %d with their users", kept, len(t.seats), chained)
	}
	for i := range t.seats {
		if up := (i - 1) / 2; i > 0 && t.seats.Less(i, up) {
			return fmt.Errorf("heap: seat %d ends before %d", i, up)
		}
	}
	return nil
}

func bootName(b Boot) string {
	text, _ := b.MarshalText() // has no errors
	return string(text)
}
