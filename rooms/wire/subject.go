package wire

import (
	"strconv"
	"strings"
)

// Space is a family of subjects, <first word>.<token>.<verb>, and all that is
// logged under them: README.md, "NATS".
type Space uint8

// The spaces. What a user may hear of rooms says nothing about inboxes.
const (
	SpaceRooms   Space  = iota // room.<room>.…
	SpaceInboxes               // inbox.<uid>.…: rooms named "@<uid>"
	SpaceTables                // room.<room>.… too, of rooms that rules decide for
	Spaces       = iota        // how many there are
)

var (
	spaceWords   = [Spaces]string{"room.", "inbox.", "room."}
	captureVerbs = [Spaces]string{verbEvent, verbEvent, verbStep}
)

// SpaceOf returns the space of a room's subjects. Which rooms are tables a name
// does not tell: theirs is SpaceRooms here.
func SpaceOf(room Room) Space {
	if strings.HasPrefix(string(room), inboxPrefix) {
		return SpaceInboxes
	}
	return SpaceRooms
}

// The last token of a room's subjects.
const (
	verbEvent    = "event"
	verbStep     = "step"
	verbCommand  = "command"
	verbSnapshot = "snapshot"
	verbLog      = "log"
	verbSignal   = "signal"
	verbPresence = "presence"
	verbRejected = "rejected"
	verbLabel    = "label"
)

// Subjects over all rooms. Inboxes have neither signals nor presence.
const (
	AllSignals   = "room.*.signal"
	AllPresence  = "room.*.presence"
	AllLabels    = "room.*.label"
	AllSnapshots = "room.*.snapshot"
	// AllSnapshotParts is of large snapshots.
	AllSnapshotParts = "room.*.snapshot.*.*"
	AllCommands      = "room.*.command"
)

// AllEvents returns the subjects that the stream of the space captures.
func (s Space) AllEvents() string { return spaceWords[s] + "*." + captureVerbs[s] }

// Capture returns the subject of a room that the stream of the space captures.
func (s Space) Capture(room Room) string {
	return spaceWords[s] + RoomToken(room) + "." + captureVerbs[s]
}

// AllLogs returns the subjects to which the stream of the space republishes.
func (s Space) AllLogs() string { return spaceWords[s] + "*." + verbLog }

// LogMapping is the mapping of the one to the other.
func (s Space) LogMapping() string { return spaceWords[s] + "{{wildcard(1)}}." + verbLog }

// Rejected is where an injected event goes that was not valid, by the token of
// its subject.
func (s Space) Rejected(token string) string { return spaceWords[s] + token + "." + verbRejected }

// Room is the room whose subjects in this space have that token. It fails with
// BadRoom for a token that RoomToken would not have written, so that one room
// has exactly one subject, and for that of an inbox among those of rooms.
func (s Space) Room(token string) (Room, error) {
	name := unescape(token)
	switch inbox := strings.HasPrefix(name, inboxPrefix); {
	case s == SpaceInboxes:
		name = string(Inbox(name))
	case inbox:
		return "", Errorf(BadRoom, "an inbox has subjects of its own; publish on %q", subject(Room(name), verbEvent))
	}
	room, err := ParseRoom(name)
	if err != nil {
		return "", err
	}
	if RoomToken(room) != token {
		return "", Errorf(BadRoom, "room token %.128q is not the one spelling of its room; use %q", token, RoomToken(room))
	}
	return room, nil
}

// HasSubject reports whether a room has a subject on which its events are
// logged, as every room that ParseRoom returns has. It looks at no more than
// that, so it is cheap.
func HasSubject(room Room) bool {
	return room != "" && room != inboxPrefix && len(room) <= MaxRoomBytes
}

// EventSubject returns the subject to which events are published to be logged.
func EventSubject(room Room) string { return subject(room, verbEvent) }

// SnapshotSubject holds a table as it was after one of its steps.
func SnapshotSubject(room Room) string { return subject(room, verbSnapshot) }

// SnapshotPartSubject holds a part of a snapshot that is larger than a message
// may be. A table has a few slots for such ones.
func SnapshotPartSubject(room Room, slot, part int) string {
	return SnapshotSubject(room) + "." + strconv.Itoa(slot) + "." + strconv.Itoa(part)
}

// CommandSubject takes commands for a table, as requests.
func CommandSubject(room Room) string { return subject(room, verbCommand) }

// LogSubject returns the subject to which the stream republishes stored events.
func LogSubject(room Room) string { return subject(room, verbLog) }

// SignalSubject returns the subject of ephemeral events, which are not logged.
func SignalSubject(room Room) string { return subject(room, verbSignal) }

// PresenceSubject returns the subject of membership changes between nodes.
func PresenceSubject(room Room) string { return subject(room, verbPresence) }

// RejectedSubject returns the subject of injected events that were invalid.
func RejectedSubject(room Room) string { return subject(room, verbRejected) }

// LabelSubject returns the subject to which services send a room's label.
func LabelSubject(room Room) string { return subject(room, verbLabel) }

func subject(room Room, verb string) string {
	return spaceWords[SpaceOf(room)] + RoomToken(room) + "." + verb
}

// SubjectToken returns the space of a room's subject and the token that the
// room has there; ok is false for a subject of another shape.
func SubjectToken(subject string) (space Space, token string, ok bool) {
	for i, word := range spaceWords[:SpaceTables] {
		if rest, found := strings.CutPrefix(subject, word); found {
			token, verb, cut := strings.Cut(rest, ".")
			return Space(i), token, cut && token != "" && verb != "" && !strings.Contains(verb, ".")
		}
	}
	return 0, "", false
}
