package wire

// FeedSubject is what the subjects of the feed begin with: what happened is
// the token after it.
const FeedSubject = "roomd.feed."

// FeedKind is what happened: the last token of an event's subject in the feed.
type FeedKind string

// Kinds of events in the feed.
const (
	FeedConnected    FeedKind = "connected"
	FeedDisconnected FeedKind = "disconnected"
	FeedJoined       FeedKind = "joined"
	FeedLeft         FeedKind = "left"
	FeedOpened       FeedKind = "opened"   // a room, on that node
	FeedUnloaded     FeedKind = "unloaded" // the same room, when nobody has needed it there for a while
	FeedAlive        FeedKind = "alive"    // nothing: so that it shows when the events before it were lost, or the node is
	FeedLost         FeedKind = "lost"     // the node; told by others, and so without N
)

// FeedEvent is one event of the feed. README.md says what a follower does.
type FeedEvent struct {
	Node       string    `json:"node"`
	Boot       string    `json:"boot"`                 // names the node's process
	N          uint64    `json:"n,omitempty"`          // rises by one per node and boot, from 1
	Connection string    `json:"connection,omitempty"` // client_id
	UID        string    `json:"uid,omitempty"`
	Guest      bool      `json:"guest,omitempty"`
	Room       string    `json:"room,omitempty"`
	Code       CloseCode `json:"code,omitempty"` // of disconnected
	Why        string    `json:"why,omitempty"`  // of disconnected: Code in words; of left: the reason in room_left
	At         int64     `json:"at"`             // ms since 1970, by the clock of the node that tells it
}

// MaxConnectionsPage is the most connections in one answer to a follower.
const MaxConnectionsPage = 1000

// Connections is a page of the connections in a room, or, with no RoomID, of
// all: what a follower of the feed asks for. Next is as in OnlineUsers.
type Connections struct {
	RoomID string       `json:"room_id"`
	Nodes  []FeedNode   `json:"nodes"`
	List   []Connection `json:"list"`
	Next   string       `json:"next"`
}

// FeedNode says up to which event of a node's feed a list holds.
type FeedNode struct {
	Node string `json:"node"`
	Boot string `json:"boot"`
	N    uint64 `json:"n"`
}

// Connection is a connection, and the node that it is on.
type Connection struct {
	Connection string `json:"connection"`
	UID        string `json:"uid"`
	Guest      bool   `json:"guest,omitempty"`
	Node       string `json:"node"`
}
