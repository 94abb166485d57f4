package rooms

// members is the set of a room's local members, in a slice for the fan-out
// and with an index by session once it is too large to be searched. A user's
// inbox has one member and no index.
type members struct {
	list  []Member
	index map[string]int // by Member.ID; nil up to indexAbove members
}

const indexAbove = 8

func (s *members) find(id string) int {
	if s.index != nil {
		if i, ok := s.index[id]; ok {
			return i
		}
		return -1
	}
	for i, m := range s.list {
		if m.ID() == id {
			return i
		}
	}
	return -1
}

func (s *members) has(id string) bool { return s.find(id) >= 0 }

// add appends m; it must not be in the set.
func (s *members) add(m Member) {
	s.list = append(s.list, m)
	if s.index != nil {
		s.index[m.ID()] = len(s.list) - 1
		return
	}
	if len(s.list) > indexAbove {
		s.index = make(map[string]int, 2*len(s.list))
		for i, m := range s.list {
			s.index[m.ID()] = i
		}
	}
}

// remove takes the member out and puts the last one in its place.
func (s *members) remove(id string) bool {
	i := s.find(id)
	if i < 0 {
		return false
	}
	end := len(s.list) - 1
	s.list[i] = s.list[end]
	s.list[end] = nil
	s.list = s.list[:end]
	if s.index != nil {
		delete(s.index, id)
		if i < end {
			s.index[s.list[i].ID()] = i
		}
	}
	return true
}
