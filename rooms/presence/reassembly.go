package presence

// reassembly collects the parts of one Diff that was split.
type reassembly struct {
	whole    Diff   // Joined and Left of the parts so far
	received []bool // index: part-1
	count    int
}

// reassemble adds d to its reassembly and returns the whole Diff if d was the
// last missing part. A node has at most one reassembly: the parts of a Diff are
// sent in a row, and if they get mixed up with another's, the state is
// requested again.
func (o *remote) reassemble(d Diff) (Diff, bool) {
	if d.Parts <= 1 {
		return d, true
	}
	p := o.reassembly
	if p == nil || p.supersededBy(d) {
		p = newReassembly(d)
		o.reassembly = p
	}
	if !p.isOf(d) || p.received[d.Part-1] {
		return Diff{}, false
	}
	p.received[d.Part-1] = true
	p.count++
	p.whole.Joined = append(p.whole.Joined, d.Joined...)
	p.whole.Left = append(p.whole.Left, d.Left...)
	return p.whole, p.count == d.Parts
}

// setVersion records the version of o that has been applied, and drops a
// reassembly of that version or an earlier one.
func (o *remote) setVersion(version uint64) {
	o.version = version
	if o.reassembly != nil && o.reassembly.whole.Version <= version {
		o.reassembly = nil
	}
}

func newReassembly(d Diff) *reassembly {
	p := &reassembly{whole: d, received: make([]bool, d.Parts)}
	p.whole.Part, p.whole.Joined, p.whole.Left = 0, nil, nil
	return p
}

// isOf reports whether d is a part of the Diff that p collects.
func (p *reassembly) isOf(d Diff) bool {
	return p.whole.Version == d.Version && p.whole.Full == d.Full && p.whole.Parts == d.Parts
}

// supersededBy reports whether d, a part of another Diff, is the one to collect
// instead: a newer version, or at the same version the full state, which needs
// no other.
func (p *reassembly) supersededBy(d Diff) bool {
	if p.isOf(d) {
		return false
	}
	if p.whole.Version != d.Version {
		return p.whole.Version < d.Version
	}
	return d.Full || !p.whole.Full
}
