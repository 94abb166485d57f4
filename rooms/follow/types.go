package follow

// Event is one event of a room's log.
type Event struct {
	Seq  uint64
	Time string // the log's, RFC 3339: with Seq it identifies the event
	Body []byte // as stored; opaque here
	By   string // the author in its header; opaque here
}

// Copy is an event as received from the stream's republish.
type Copy struct {
	Event
	Prev uint64 // sequence of the room's event before it, when it was stored; 0: there was none
	// From is a sequence from which on, up to this one, every copy of the
	// stream was received, and those of the room were passed to Live; Seq if no
	// more is known.
	From uint64
}

// Run is a run of consecutive sequences of the stream whose copies were
// received. The zero Run is empty.
type Run struct{ from, to uint64 }

// Add adds the next copy's sequence and returns the first of its run. A
// sequence that is not the next one begins a new run.
func (r *Run) Add(seq uint64) (from uint64) {
	if seq != r.to+1 || r.to == 0 {
		r.from = seq
	}
	r.to = seq
	return r.from
}

// Source says which replica to read from.
type Source uint8

// Sources of a read.
const (
	AnyReplica Source = iota // any replica: cheap, and it may be behind
	Leader                   // the leader: one event at a time
)

// Range is a read of a room's log: the events after After up to and including
// Upto.
type Range struct {
	Op     uint64 // returned in the Page
	After  uint64 // Page.Start says whether it is an event of the room
	Upto   uint64
	Newest int // if not 0, only that many of the newest; After may then be 0
	// Bytes, if not 0, limits the total size of the bodies: with Newest to the
	// newest that fit, at least one, else to the oldest that fit.
	Bytes int
	// All asks for everything after After or nothing: if that exceeds Newest or
	// Bytes, the page is Cut and has no events.
	All bool
	// History: it is for a page of history, and has a lower priority.
	History bool
	From    Source
	Attempt int // 0 the first time; wait a little before later ones
}

// Page is the result of a Range. It must be from one state of one replica, or
// composed of several such that each begins with an event of the room that the
// one before it has.
type Page struct {
	Op     uint64
	Failed bool // there was no answer; nothing else is set

	Events    []Event // rising
	Cut       bool    // the range has more events: newer ones, or with Newest older ones
	Start     bool    // After is an event of the room, stored at StartTime
	StartTime string
	// ContiguousFrom is the lowest sequence from which on the replica had every
	// sequence of the stream, of any room, up to the first of Events, or, if
	// there are none, up to Upto. 0: unknown.
	ContiguousFrom uint64
	// HighWatermark is the highest sequence of the stream that the replica is
	// known to have had.
	HighWatermark uint64
}

// State is the state of a sequence of the stream.
type State uint8

// States of a sequence, as the leader sees it.
const (
	Present   State = iota // an event of the room, stored at Verdict.Time
	Discarded              // by a limit of the log; its room is unknown
	OtherRoom              // an event of another room
	PastEnd                // the log ends before it, by the leader with a quorum
)

// Verdict is the state of a room at the log's leader.
type Verdict struct {
	Op     uint64
	Failed bool // there was no answer; nothing else is set

	Seq   uint64 // the sequence in the query; 0: none
	State State  // of Seq
	Time  string // of Seq, when it is Present

	Epoch         string
	First         uint64 // the stream's first sequence
	HighWatermark uint64 // the stream's last sequence; the following fields are valid at least up to it
	Last          uint64 // the room's newest event; 0: it has none
	LastTime      string
	Oldest        uint64 // the room's oldest event; 0: it has none
	Count         int64  // of the room's events
	Limit         int64  // per room; 0 or less: none
	// LimitSince is a sequence after which no event of a room was lost to a
	// limit per room lower than Limit.
	LimitSince uint64
}

// Check is the room's newest event at some replica.
type Check struct {
	Last          uint64 // 0: none
	Time          string
	HighWatermark uint64 // of that replica: the stream's last sequence there
	First         uint64 // the leader's first sequence of the stream, asked for later
}

// Position is a client's position in the log.
type Position struct {
	Epoch string
	Seq   uint64
}

// Join is a request to become a member.
type Join struct {
	Since *Position // replay the events after it; nil: see Last
	Last  int       // replay that many of the newest events
	Ref   any       // the caller's

	backfilled bool // the log was read back to Since, or to its beginning
	tooMuch    bool // the log has more than can be replayed
	pastEnd    bool // the log ends before Since
}

// Admission is the answer to a Join.
type Admission struct {
	Replay    []Entry // to be delivered before anything else; shared, must not be modified
	Recovered bool    // Replay has every event after Since
	Seq       uint64  // the position before Replay
}

// History is a request for a page of events.
type History struct {
	Before uint64 // events before this sequence; 0: the newest
	Limit  int
	Known  uint64 // the answer must include events up to this sequence, which is stored; 0: any
	Bytes  int    // limit of the events' total size, of which there is at least one; 0: none
	Ref    any    // the caller's
}

// Incident is something to be logged or counted.
type Incident uint8

// Incidents. Their sequence is in brackets.
const (
	Repair      Incident = iota // a gap is read from the log [its end]
	HeldDropped                 // a copy was dropped, as too many are held; it will be read [its own]
	Forged                      // a copy was dropped that is not from the log, or follows an event that is not [that event's]
	Lost                        // a gap that the log does not fill; members are told to refresh [its end]
	RolledBack                  // the log does not have a delivered event; members are told to refresh [that event's]
	Renewed                     // the log is another one; members are told to refresh [the old position]
	TooMuch                     // a join missed more than can be replayed; it is told to refresh [its position]
	PageCut                     // a page of history is shorter than requested, because of its bytes [Before]
)

// Effects carries out what a Follower decides. Its methods are called from
// within the Follower's, and must not call the Follower.
type Effects interface {
	// Deliver delivers the next event to every member. It returns what to cache
	// for later joins, as an Entry has it; both nil for an event that no member
	// gets.
	Deliver(Event) (frame []byte, apart *Apart)
	// Frame returns the same of an older event, which is only cached.
	Frame(Event) (frame []byte, apart *Apart)
	// Refresh tells every member to fetch the history again, and to continue
	// from Follower.Position.
	Refresh()
	// Read starts a read whose result is passed to Follower.Page; Ask queries
	// the leader about a sequence (0: none), for Follower.Verdict.
	Read(Range)
	Ask(op, seq uint64, attempt int)
	// Admit makes the join a member.
	Admit(*Join, Admission)
	// Page answers a history request: with frames, or with events as stored.
	Page(h *History, frames []Entry, events []Event, more bool)
	// Refuse answers a join or a history request that cannot be answered now.
	Refuse(*Join, *History)
	// Report logs or counts an incident.
	Report(Incident, uint64)
}

// Limits bound what a Follower holds in memory.
type Limits struct {
	Replay      int // events that are cached and replayed
	ReplayBytes int // total size of the frames that one join has replayed; 0: no limit
	RingBytes   int // memory of the cached events
	Held        int // live copies held while the log is read
	HeldBytes   int // of them

	Rings  *Budget // cached events of all rooms; nil: no limit
	Copies *Budget // live copies that wait or are held in all rooms; nil: no limit
}
