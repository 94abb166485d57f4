package presence

import (
	"slices"
	"sort"
	"strings"
)

// blockMax is the most users one block of an index holds: inserting moves at
// most that many pointers (1 KiB) whatever the size of the room.
const blockMax = 128

// index holds the first claim of every user, sorted by uid, in blocks. A lookup
// is two binary searches, a page is a walk. The zero value is empty.
type index struct {
	blocks [][]*claim // none is empty
	n      int
}

// place is where a uid is, or where it would be inserted.
type place struct{ block, i int }

func (x *index) find(uid string) (place, bool) {
	b := sort.Search(len(x.blocks), func(k int) bool {
		blk := x.blocks[k]
		return blk[len(blk)-1].user.UID >= uid
	})
	if b == len(x.blocks) {
		if b == 0 {
			return place{}, false
		}
		return place{b - 1, len(x.blocks[b-1])}, false
	}
	i, found := slices.BinarySearchFunc(x.blocks[b], uid, func(c *claim, uid string) int {
		return strings.Compare(c.user.UID, uid)
	})
	return place{b, i}, found
}

func (x *index) at(p place) *claim     { return x.blocks[p.block][p.i] }
func (x *index) set(p place, c *claim) { x.blocks[p.block][p.i] = c }

// insert puts c at a place that find returned for its uid.
func (x *index) insert(p place, c *claim) {
	x.n++
	if len(x.blocks) == 0 {
		x.blocks = [][]*claim{{c}}
		return
	}
	if blk := x.blocks[p.block]; len(blk) == blockMax {
		const half = blockMax / 2
		right := slices.Clone(blk[half:])
		clear(blk[half:])
		x.blocks[p.block] = blk[:half]
		x.blocks = slices.Insert(x.blocks, p.block+1, right)
		if p.i > half {
			p = place{p.block + 1, p.i - half}
		}
	}
	x.blocks[p.block] = slices.Insert(x.blocks[p.block], p.i, c)
}

// delete removes what is at p. Two neighbours together hold more than half a
// block, always, so a room that shrank has not kept a block per user.
func (x *index) delete(p place) {
	x.n--
	blk := slices.Delete(x.blocks[p.block], p.i, p.i+1)
	x.blocks[p.block] = blk
	switch {
	case x.n == 0:
		x.blocks = nil
	case len(blk) == 0: // beside blocks that are more than half full
		x.blocks = slices.Delete(x.blocks, p.block, p.block+1)
	default:
		x.merge(p.block)
		x.merge(p.block - 1)
	}
}

// merge joins block b and the next one, if there are both and together they are
// at most half full.
func (x *index) merge(b int) {
	if b < 0 || b+1 >= len(x.blocks) || len(x.blocks[b])+len(x.blocks[b+1]) > blockMax/2 {
		return
	}
	x.blocks[b] = append(x.blocks[b], x.blocks[b+1]...)
	x.blocks = slices.Delete(x.blocks, b+1, b+2)
}

// from yields the heads from p on. The index must not be changed meanwhile.
func (x *index) from(p place) func(yield func(*claim) bool) {
	return func(yield func(*claim) bool) {
		for b, i := p.block, p.i; b < len(x.blocks); b, i = b+1, 0 {
			for ; i < len(x.blocks[b]); i++ {
				if !yield(x.blocks[b][i]) {
					return
				}
			}
		}
	}
}

func (x *index) all(yield func(*claim) bool) { x.from(place{})(yield) }
