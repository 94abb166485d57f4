package wire

import "strings"

// The last token of a room's subjects: PROTOCOL.md section 2.
const (
	verbEvent    = "event"
	verbLog      = "log"
	verbSignal   = "signal"
	verbPresence = "presence"
	verbRejected = "rejected"
)

// Subjects over all rooms, and the mapping that the stream's republish uses.
const (
	AllEvents   = "room.*.event"
	AllLogs     = "room.*.log"
	AllSignals  = "room.*.signal"
	AllPresence = "room.*.presence"
	LogMapping  = "room.{{wildcard(1)}}.log"
)

// EventSubject is where an event is published to be logged.
func EventSubject(room string) string { return subject(room, verbEvent) }

// LogSubject is where the stream republishes what it stored.
func LogSubject(room string) string { return subject(room, verbLog) }

// SignalSubject carries what is delivered now and not logged.
func SignalSubject(room string) string { return subject(room, verbSignal) }

// PresenceSubject carries the membership changes of one node.
func PresenceSubject(room string) string { return subject(room, verbPresence) }

// RejectedSubject gets injected events that were not valid.
func RejectedSubject(room string) string { return subject(room, verbRejected) }

func subject(room, verb string) string { return "room." + RoomToken(room) + "." + verb }

// SubjectToken returns the room's token of a subject room.<token>.<verb>; ok
// is false for a subject of another shape.
func SubjectToken(subject string) (token string, ok bool) {
	rest, ok := strings.CutPrefix(subject, "room.")
	if !ok {
		return "", false
	}
	token, verb, ok := strings.Cut(rest, ".")
	return token, ok && token != "" && verb != "" && !strings.Contains(verb, ".")
}
