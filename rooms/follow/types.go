package follow

// Event is one event of a room's log.
type Event struct {
	Seq  uint64
	Time string // the log's, RFC 3339: with Seq it names the event
	Body []byte // as stored; not looked at
	By   string // what its header says of who it is from; not looked at
}

// Copy is an event as the stream's republish sends it to whoever listens.
type Copy struct {
	Event
	Prev uint64 // sequence of the room's event before it, when it was stored; 0: there was none
	// From is a sequence from which on, up to this one, every copy of the
	// stream was heard, and those of the room were handed over; Seq when no
	// more is known.
	From uint64
}

// Run is a run of sequences of the stream whose copies were heard one after the
// other. The zero Run is of none.
type Run struct{ from, to uint64 }

// Hear takes the next copy's sequence and returns where the run begins that it
// ends. What repeats, leaves out or turns back begins a new one.
func (r *Run) Add(seq uint64) (from uint64) {
	if seq != r.to+1 || r.to == 0 {
		r.from = seq
	}
	r.to = seq
	return r.from
}

// Source says who is to answer a read.
type Source uint8

// Sources of a read.
const (
	AnyReplica Source = iota // any replica: cheap, and it may be behind
	Leader                   // the leader: one event at a time
)

// Range is a read of a room's log: the events after After up to and including
// Upto.
type Range struct {
	Op     uint64 // comes back in the Page
	After  uint64 // if it is an event of the room, the page says so
	Upto   uint64
	Newest int // not 0: only the newest that many; then After 0 asks for them wherever they begin
	// Bytes, if not 0, bounds the bodies of the page: with Newest the newest
	// that fit, at least one, else as far as they fit.
	Bytes int
	// All asks for everything after After or nothing: with more than Newest, or
	// Bytes, the page is Cut and has no events.
	All bool
	// History: it is for a page of history; others go first.
	History bool
	From    Source
	Attempt int // 0 the first time; a later one should wait a little
}

// Page is the answer to a Range. It must come from one state of one replica,
// or be put together from several so that each begins with an event of the room
// that the one before it has.
type Page struct {
	Op     uint64
	Failed bool // nobody answered; nothing else is set

	Events    []Event // rising
	Cut       bool    // the range has more: newer ones, or with Newest older ones
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

// State is what has become of a sequence of the stream.
type State uint8

// States of a sequence, as the leader sees it.
const (
	Present   State = iota // an event of the room, stored at Verdict.Time
	Discarded              // by a limit of the log; of which room it was is not known
	OtherRoom              // an event of another room
	PastEnd                // the log ends before it, as the leader said with a majority behind it
)

// Verdict is what the log's leader says of a room.
type Verdict struct {
	Op     uint64
	Failed bool // nobody answered; nothing else is set

	Seq   uint64 // what was asked about; 0: nothing in particular
	State State  // of Seq
	Time  string // of Seq, when it is Present

	Epoch         string
	First         uint64 // the stream's first sequence
	HighWatermark uint64 // the stream's last sequence; what follows holds at least up to it
	Last          uint64 // the room's newest event; 0: it has none
	LastTime      string
	Oldest        uint64 // the room's oldest event; 0: it has none
	Count         int64  // of the room's events
	Limit         int64  // per room; 0 or less: none
	// LimitSince is a sequence after which no event of a room was lost to a
	// limit per room lower than Limit.
	LimitSince uint64
}

// Check is what some replica had as the room's newest event.
type Check struct {
	Last          uint64 // 0: none
	Time          string
	HighWatermark uint64 // of that replica: the stream's last sequence there
	First         uint64 // the leader's first sequence of the stream, asked for later
}

// Position is a place in the log that a client knows.
type Position struct {
	Epoch string
	Seq   uint64
}

// Join asks to become a member.
type Join struct {
	Since *Position // replay what came after it; nil: Last
	Last  int       // replay the newest that many
	Ref   any       // the caller's

	backfilled bool // the log was read back to Since or as far as it goes
	tooMuch    bool // and has more than can be replayed
	pastEnd    bool // the log ends before Since
}

// Admission answers a Join.
type Admission struct {
	Replay    []Entry // to be handed over before anything else; shared, not to be changed
	Recovered bool    // everything after Since is in Replay
	Seq       uint64  // the position that Replay follows
}

// History asks for a page of events.
type History struct {
	Before uint64 // of sequences below that; 0: the newest
	Limit  int
	Known  uint64 // the answer must reach this sequence, which is stored; 0: none in particular
	Bytes  int    // of the events, at most, but for the first; 0: no bound
	Ref    any    // the caller's
}

// Incident is what somebody should read in a log or count.
type Incident uint8

// Incidents. The sequence that comes with them is in brackets.
const (
	Repair      Incident = iota // a hole is read from the log [its end]
	HeldDropped                 // a copy beyond the bound was dropped; it will be read [its own]
	Forged                      // a copy is not of the log, or follows what it never had; dropped [that event's]
	Lost                        // a hole that the log does not fill; members are told to refresh [its end]
	RolledBack                  // the log does not have what was delivered; members are told to refresh [that event's]
	Renewed                     // the log is another one; members are told to refresh [the old position]
	TooMuch                     // a join missed more than is replayed; it is told to refresh [its position]
	PageCut                     // a page of history is shorter than asked for, because of its bytes [before which]
)

// Effects is what a Follower wants done. The calls come from within its
// inputs and must not call the Follower back.
type Effects interface {
	// Deliver hands the next event to every member. It returns the frame to be
	// remembered for those who join later; nil for an event that nobody gets.
	Deliver(Event) (frame []byte)
	// Frame makes the frame of an older event that is only remembered.
	Frame(Event) []byte
	// Refresh tells every member that its view ends and begins anew at
	// Follower.Position.
	Refresh()
	// Read wants a Page; Ask a Verdict about a sequence (0: about none).
	Read(Range)
	Ask(op, seq uint64, attempt int)
	// Admit makes a member of whoever joins.
	Admit(*Join, Admission)
	// Page answers a history request: with frames, or with events as stored.
	Page(h *History, frames []Entry, events []Event, more bool)
	// Refuse answers a join or a history request that cannot be answered now.
	Refuse(*Join, *History)
	// Report tells of an incident.
	Report(Incident, uint64)
}

// Limits bound what a Follower keeps.
type Limits struct {
	Replay      int // events remembered and replayed
	ReplayBytes int // of the frames that one join is replayed; 0: no bound
	RingBytes   int // that the remembered ones cost
	Held        int // live copies kept while the log is read
	HeldBytes   int // of them

	Rings  *Budget // what is remembered in all rooms; nil: no bound
	Copies *Budget // live copies that wait or are kept in all rooms; nil: no bound
}
