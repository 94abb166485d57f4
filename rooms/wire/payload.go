package wire

import (
	"encoding/json"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// User is a person in a room, however many sessions it has.
type User = presence.User

// SendMessage is the payload of send_message and, with ToUID, of
// private_message from a client.
type SendMessage struct {
	Message  string `json:"message"`
	Content  string `json:"content"` // alias of Message
	From     string `json:"from"`
	ImageURL string `json:"image_url"`
	ToUID    string `json:"to_uid"`
}

// RoomRequest is the payload of change_room, join_room, leave_room,
// get_online_users and get_history.
type RoomRequest struct {
	Name   string    `json:"name"`
	Since  *Position `json:"since"`
	Last   int       `json:"last"`
	Limit  int       `json:"limit"`
	After  string    `json:"after"`
	Before uint64    `json:"before"`
}

// Message is the payload of new_message and private_message.
type Message struct {
	Message  string `json:"message"`
	From     string `json:"from"`
	Sent     string `json:"sent,omitempty"` // RFC 3339 with nanoseconds; "" when published: the log's time
	Time     int64  `json:"time,omitempty"` // ms since 1970; 0 when published: the log's time
	UID      string `json:"uid"`
	Username string `json:"username"`
	AvatarID string `json:"avatar_id"`
	ImageURL string `json:"image_url,omitempty"`
	RoomID   string `json:"room_id,omitempty"`
	ToUID    string `json:"to_uid,omitempty"`
}

// Welcome is the first event on every connection.
type Welcome struct {
	ClientID   string `json:"client_id"`
	UID        string `json:"uid"`
	Username   string `json:"username"`
	AvatarID   string `json:"avatar_id"`
	Node       string `json:"node"`
	HeartbeatS int    `json:"heartbeat_s"`
	Now        int64  `json:"now"`                  // the server's clock, in ms since 1970
	ExpiresIn  int64  `json:"expires_in,omitempty"` // seconds until the connection is closed because its credential has ended, at least 1; 0: it never does
}

// RoomJoined answers a join. Seq is the position at this point of the stream
// of events: what is replayed after it has higher ones.
type RoomJoined struct {
	RoomID    string `json:"room_id"`
	Epoch     string `json:"epoch"`
	Seq       uint64 `json:"seq"`
	Recovered bool   `json:"recovered"`
	Replayed  int    `json:"replayed"`
	Count     int    `json:"count"`
	List      []User `json:"list"`

	// Of a table: what this user sees of its state, after the step StateSeq, and
	// the time there in ms since 1970.
	State    json.RawMessage `json:"state,omitempty"`
	StateSeq uint64          `json:"state_seq,omitempty"`
	Now      int64           `json:"now,omitempty"`

	// EncodedList, if there is one, is sent instead of List; EncodeUsers makes
	// it.
	EncodedList json.RawMessage `json:"-"`
}

// RoomLeft says that the client is not a member any more, and why.
type RoomLeft struct {
	RoomID string `json:"room_id"`
	Reason string `json:"reason"`
}

// PresenceChange is one batch of membership changes. With More it does not say
// who came and left, because that were too many: Count holds, and a client that
// shows a list asks for it again.
type PresenceChange struct {
	RoomID string `json:"room_id"`
	Joined []User `json:"joined,omitempty"`
	Left   []User `json:"left,omitempty"`
	Count  int    `json:"count"`
	More   bool   `json:"more,omitempty"`
}

// OnlineUsers is a page of the people in a room. Next is what After takes for
// the next page; empty on the last.
type OnlineUsers struct {
	RoomID string `json:"room_id"`
	Count  int    `json:"count"`
	List   []User `json:"list"`
	Next   string `json:"next"`
}

// History is a page of a room's log, oldest first. More says that there are
// older events.
type History struct {
	RoomID string            `json:"room_id"`
	Events []json.RawMessage `json:"events"`
	More   bool              `json:"more"`
}

// GetRooms is the payload of get_rooms: rooms whose names begin with Prefix and
// that come behind After, the Next of another page, Limit of them at most.
type GetRooms struct {
	Prefix string `json:"prefix,omitempty"`
	After  string `json:"after,omitempty"`
	Limit  int    `json:"limit,omitempty"`
}

// MaxRoomFilter is the most bytes of GetRooms' Prefix and After: more than any
// room's name has.
const MaxRoomFilter = MaxRoomRunes * utf8.UTFMax

// Clean normalizes Prefix (NFC). Its error is a *Error with BadPayload.
func (p *GetRooms) Clean() error {
	switch {
	case p.Limit < 0:
		return Errorf(BadPayload, "limit must not be negative")
	case len(p.Prefix) > MaxRoomFilter || len(p.After) > MaxRoomFilter:
		return Errorf(BadPayload, "prefix and after have at most %d bytes, as no room's name has more", MaxRoomFilter)
	}
	p.Prefix = norm.NFC.String(p.Prefix)
	return nil
}

// Rooms is a page of the rooms that a user may enter: those with a label first,
// each of the two by name. Next is what After takes for the next page; empty on
// the last. Tables, on the first page, names rooms of tables at which to begin,
// also where nobody has been yet.
type Rooms struct {
	List   []ListedRoom `json:"list"`
	Next   string       `json:"next"`
	Tables []string     `json:"tables,omitempty"`
}

// ListedRoom is a room as a lobby shows it.
type ListedRoom struct {
	Name  string          `json:"name"`
	Count int64           `json:"count"`           // people in it, as in RoomJoined
	At    int64           `json:"at"`              // of the newest event, in ms since 1970; 0: none that is known
	Label json.RawMessage `json:"label,omitempty"` // valid JSON; absent: none
}

// Ack says that an event was stored, or a request without an event was done.
type Ack struct {
	Duplicate bool `json:"duplicate"`
}

// ErrorInfo is the payload of an error event, and "error" in an HTTP body.
type ErrorInfo struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Reconnect asks the client to connect again after that long.
type Reconnect struct {
	AfterMS int64 `json:"after_ms"`
}

// MarshalJSON writes an absent list as [], for a client may take its length.
func (p RoomJoined) MarshalJSON() ([]byte, error) { return p.append(nil), nil }

// MarshalJSON writes an absent list as [].
func (p OnlineUsers) MarshalJSON() ([]byte, error) { return p.append(nil), nil }

// MarshalJSON writes an absent list as [].
func (p History) MarshalJSON() ([]byte, error) { return p.append(nil), nil }

// MarshalJSON writes an absent list as [].
func (p Rooms) MarshalJSON() ([]byte, error) { return p.append(nil), nil }
