package presence

// partial collects the parts of one Diff.
type partial struct {
	whole Diff   // Joined and Left of the parts so far
	have  []bool // by part
	got   int
}

// gather returns the whole of which d is the last missing part, and whether
// there is one. A node has one partial message at most: parts are sent in a row,
// and what was mixed up nevertheless is asked for again.
func (o *remote) gather(d Diff) (Diff, bool) {
	if d.Parts <= 1 {
		return d, true
	}
	p := o.partial
	if p == nil || p.yieldsTo(d) {
		p = newPartial(d)
		o.partial = p
	}
	if !p.isOf(d) || p.have[d.Part-1] {
		return Diff{}, false
	}
	p.have[d.Part-1] = true
	p.got++
	p.whole.Joined = append(p.whole.Joined, d.Joined...)
	p.whole.Left = append(p.whole.Left, d.Left...)
	return p.whole, p.got == d.Parts
}

// reached records that the state of o is now that of a version; parts of
// anything up to it are of no more use.
func (o *remote) reached(version uint64) {
	o.version = version
	if o.partial != nil && o.partial.whole.Version <= version {
		o.partial = nil
	}
}

func newPartial(d Diff) *partial {
	p := &partial{whole: d, have: make([]bool, d.Parts)}
	p.whole.Part, p.whole.Joined, p.whole.Left = 0, nil, nil
	return p
}

// isOf says whether d is a part of the message that p collects.
func (p *partial) isOf(d Diff) bool {
	return p.whole.Version == d.Version && p.whole.Full == d.Full && p.whole.Parts == d.Parts
}

// yieldsTo says whether d, of another message, is the one to collect: the newer
// version, or for the same version the full state, which needs no other.
func (p *partial) yieldsTo(d Diff) bool {
	if p.isOf(d) {
		return false
	}
	if p.whole.Version != d.Version {
		return p.whole.Version < d.Version
	}
	return d.Full || !p.whole.Full
}
