package presence

import "slices"

// dictFew is how many pairs a dict keeps in a slice. A Go map with one entry
// takes 250 bytes or more, and most tables hold one session.
const dictFew = 8

// dict is a map that costs little while it is small. The zero value is empty.
type dict[V any] struct {
	few  []pair[V]    // in use while many is nil
	many map[string]V // nil, or holds everything
}

type pair[V any] struct {
	key string
	val V
}

func (d *dict[V]) len() int {
	if d.many != nil {
		return len(d.many)
	}
	return len(d.few)
}

func (d *dict[V]) get(key string) (V, bool) {
	if d.many != nil {
		v, ok := d.many[key]
		return v, ok
	}
	for i := range d.few {
		if d.few[i].key == key {
			return d.few[i].val, true
		}
	}
	var none V
	return none, false
}

func (d *dict[V]) set(key string, v V) {
	if d.many != nil {
		d.many[key] = v
		return
	}
	for i := range d.few {
		if d.few[i].key == key {
			d.few[i].val = v
			return
		}
	}
	if len(d.few) < dictFew {
		d.few = append(d.few, pair[V]{key, v})
		return
	}
	d.many = make(map[string]V, 2*dictFew)
	for _, p := range d.few {
		d.many[p.key] = p.val
	}
	d.many[key] = v
	d.few = nil
}

func (d *dict[V]) delete(key string) {
	if d.many == nil {
		d.few = slices.DeleteFunc(d.few, func(p pair[V]) bool { return p.key == key })
		if len(d.few) == 0 {
			d.few = nil
		}
		return
	}
	delete(d.many, key)
	// Maps never shrink. Going back at half the size both frees a map that was
	// once large and cannot alternate with growing.
	if len(d.many) > dictFew/2 {
		return
	}
	for k, v := range d.many {
		d.few = append(d.few, pair[V]{k, v})
	}
	d.many = nil
}

// all yields every pair in no particular order. The dict must not be changed
// meanwhile.
func (d *dict[V]) all(yield func(string, V) bool) {
	for _, p := range d.few {
		if !yield(p.key, p.val) {
			return
		}
	}
	for k, v := range d.many {
		if !yield(k, v) {
			return
		}
	}
}
