package lobby

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
)

// Directory holds the rooms of other nodes. The zero value is empty.
type Directory struct {
	nodes map[string]*nodeRooms
}

// nodeRooms holds the rooms of one node.
type nodeRooms struct {
	boot    uint64 // of its process
	version uint64 // of its journal
	rooms   map[string]Entry
}

// Known returns the process and the version of a node's journal up to which its
// rooms are known; 0 if they are not.
func (d *Directory) Known(node string) (boot, version uint64) {
	if p := d.nodes[node]; p != nil {
		return p.boot, p.version
	}
	return 0, 0
}

// Apply applies a delta of a node, which is all of its parts in order. If it
// returns an error nothing has been applied.
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

// Keep removes all nodes but these.
func (d *Directory) Keep(nodes []string) {
	for node := range d.nodes {
		if !slices.Contains(nodes, node) {
			delete(d.nodes, node)
		}
	}
}

// List returns the list of all rooms: this node's own, those of other nodes,
// and those with a label that are open nowhere. Rooms without users, events and
// label are left out.
func (d *Directory) List(own iter.Seq[Entry], labels iter.Seq2[string, json.RawMessage]) *List {
	all := make(map[string]Room)
	add := func(e Entry) {
		if known, ok := all[e.Name]; ok {
			e = known.merge(e)
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

// merge merges a room of two nodes. Each counts all users, but only its own
// sessions.
func (r Room) merge(e Entry) Entry {
	return Entry{
		Name: r.Name, Users: max(r.Users, e.Users), Sessions: r.Sessions + e.Sessions,
		Seq: max(r.Seq, e.Seq), Active: max(r.Active, e.Active),
	}
}
