package lobby

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
)

// Directory is what the other nodes have told of their rooms. The zero value is
// empty.
type Directory struct {
	nodes map[string]*nodeRooms
}

// part is what one node has told.
type nodeRooms struct {
	boot    uint64 // of its process
	version uint64 // of its journal
	rooms   map[string]Entry
}

// Known is the process and the version of a node's journal that are known here;
// 0 when nothing is.
func (d *Directory) Known(node string) (boot, version uint64) {
	if p := d.nodes[node]; p != nil {
		return p.boot, p.version
	}
	return 0, 0
}

// Apply takes over what a node has told, all parts of one delta in their order.
// Nothing is taken over when it fails.
func (d *Directory) Apply(node string, boot uint64, parts []Delta) error {
	for i := range parts {
		if err := parts[i].check(); err != nil {
			return err
		}
	}
	p := d.nodes[node]
	if p == nil || p.boot != boot {
		p = &nodeRooms{boot: boot, rooms: make(map[string]Entry)}
		if d.nodes == nil {
			d.nodes = make(map[string]*nodeRooms)
		}
		d.nodes[node] = p
	}
	for i := range parts {
		p.apply(&parts[i])
	}
	return nil
}

func (p *nodeRooms) apply(d *Delta) {
	if d.Full {
		p.rooms = make(map[string]Entry, len(d.Names))
	}
	for _, name := range d.Closed {
		delete(p.rooms, name)
	}
	for i := range d.Names {
		e := d.entry(i)
		p.rooms[e.Name] = e
	}
	p.version = d.Version
}

// Keep forgets what was told by nodes that are not among these.
func (d *Directory) Keep(nodes []string) {
	for node := range d.nodes {
		if !slices.Contains(nodes, node) {
			delete(d.nodes, node)
		}
	}
}

// List makes the list of all rooms: this node's own, those of the others, and
// those that have a label although they are open nowhere. A room in which
// nobody is and nothing was said, and that has no label, is not listed.
func (d *Directory) List(own iter.Seq[Entry], labels iter.Seq2[string, json.RawMessage]) *List {
	all := make(map[string]Room)
	add := func(e Entry) {
		if known, ok := all[e.Name]; ok {
			e = known.join(e)
		}
		all[e.Name] = Room{Entry: e}
	}
	for e := range own {
		add(e)
	}
	for _, p := range d.nodes {
		for _, e := range p.rooms {
			add(e)
		}
	}
	for name, label := range labels {
		r := all[name]
		r.Name, r.Label = name, label
		all[name] = r
	}
	maps.DeleteFunc(all, func(_ string, r Room) bool { return r.Users == 0 && r.Seq == 0 && r.Label == nil })
	return newList(all)
}

// join is what two nodes know of a room. Each knows all its users; sessions are
// each node's own.
func (r Room) join(e Entry) Entry {
	return Entry{
		Name: r.Name, Users: max(r.Users, e.Users), Sessions: r.Sessions + e.Sessions,
		Seq: max(r.Seq, e.Seq), Active: max(r.Active, e.Active),
	}
}
