package rooms

// LogState is how a stream that holds the logs of rooms, or of inboxes, stands,
// when it was last looked at: within 3 s.
type LogState struct {
	Name        string // of the stream
	Messages    uint64
	Bytes       uint64
	First, Last uint64 // sequences
	ReplicaLag  uint64 // how many operations the replica that is furthest behind has not done yet
	RoomsBehind int    // open rooms of which this node knows, now, that the log has more than they have delivered
}

// Logs are the states of all streams, from memory.
func (e *Engine) Logs() []LogState {
	list := make([]LogState, 0, len(e.stores))
	for _, st := range e.stores {
		state := LogState{Name: st.log.Name(), RoomsBehind: st.behind()}
		if s := st.standing.Load(); s != nil {
			state.Messages, state.Bytes, state.First, state.Last, state.ReplicaLag = s.Messages, s.Bytes, s.First, s.Last, s.ReplicaLag
		}
		list = append(list, state)
	}
	return list
}

// behind counts the rooms that have not delivered what is known to be there.
func (st *store) behind() (count int) {
	for _, h := range st.handles.all() {
		if max(h.acked.Load(), h.known.Load()) > h.last.Load() {
			count++
		}
	}
	return count
}
