package presence

import "slices"

// dictListMax is how many pairs a dict keeps in a slice. A Go map with one
// entry takes 250 bytes or more, and most tables hold one session.
const dictListMax = 8

// dict is a map that takes little memory while it is small. The zero value is
// empty.
type dict[V any] struct {
	list  []pair[V]    // in use while table is nil
	table map[string]V // nil, or holds everything
}

type pair[V any] struct {
	key string
	val V
}

func (d *dict[V]) len() int {
	if d.table != nil {
		return len(d.table)
	}
	return len(d.list)
}

func (d *dict[V]) get(key string) (V, bool) {
	if d.table != nil {
		v, ok := d.table[key]
		return v, ok
	}
	for i := range d.list {
		if d.list[i].key == key {
			return d.list[i].val, true
		}
	}
	var none V
	return none, false
}

func (d *dict[V]) set(key string, v V) {
	if d.table != nil {
		d.table[key] = v
		return
	}
	for i := range d.list {
		if d.list[i].key == key {
			d.list[i].val = v
			return
		}
	}
	if len(d.list) < dictListMax {
		d.list = append(d.list, pair[V]{key, v})
		return
	}
	d.table = make(map[string]V, 2*dictListMax)
	for _, p := range d.list {
		d.table[p.key] = p.val
	}
	d.table[key] = v
	d.list = nil
}

func (d *dict[V]) delete(key string) {
	if d.table == nil {
		d.list = slices.DeleteFunc(d.list, func(p pair[V]) bool { return p.key == key })
		if len(d.list) == 0 {
			d.list = nil
		}
		return
	}
	delete(d.table, key)
	// Maps never shrink. Going back at half the size both frees a map that was
	// once large and cannot alternate with growing.
	if len(d.table) > dictListMax/2 {
		return
	}
	for k, v := range d.table {
		d.list = append(d.list, pair[V]{k, v})
	}
	d.table = nil
}

// all yields every pair in no particular order. The dict must not be changed
// meanwhile.
func (d *dict[V]) all(yield func(string, V) bool) {
	for _, p := range d.list {
		if !yield(p.key, p.val) {
			return
		}
	}
	for k, v := range d.table {
		if !yield(k, v) {
			return
		}
	}
}
