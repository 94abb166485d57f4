package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a room's name.
const (
	MaxRoomRunes = 64  // characters of the name
	MaxRoomBytes = 128 // bytes of the name as a subject token
)

// InboxAlias is a client's name for its own inbox.
const InboxAlias = "@me"

// inboxPrefix marks the room that is a user's inbox.
const inboxPrefix = "@"

// Room is a room's name in its one spelling. ParseRoom makes one of what
// somebody wrote, Inbox of a uid, Space.Room of a subject; a literal of a
// program's own is one when ParseRoom would leave it as it is. What was only
// read from JSON, as Event.Room, is a string: nobody has looked at it.
type Room string

// ParseRoom returns the one spelling of a room's name (NFC), or a *Error with
// code BadRoom. Two names that look alike but differ in composition are the
// same room.
func ParseRoom(name string) (Room, error) {
	if name == "" {
		return "", Errorf(BadRoom, "a room's name is empty; give it at least one character")
	}
	if len(name) > MaxRoomBytes*4 || !utf8.ValidString(name) {
		return "", Errorf(BadRoom, "a room's name must be valid UTF-8 of at most %d characters", MaxRoomRunes)
	}
	name = norm.NFC.String(name)
	if utf8.RuneCountInString(name) > MaxRoomRunes || len(escape(name, tokenSafe)) > MaxRoomBytes {
		return "", Errorf(BadRoom, "a room's name has at most %d characters and %d bytes; use a shorter one", MaxRoomRunes, MaxRoomBytes)
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == utf8.RuneError { // JSON's readers make the latter of what is no character
			return "", Errorf(BadRoom, "a room's name must not contain control characters, nor U+FFFD")
		}
	}
	if name == inboxPrefix {
		return "", Errorf(BadRoom, "an inbox is named by a uid behind the %s", inboxPrefix)
	}
	return Room(name), nil
}

// Inbox returns the room that is the user's inbox. The uid must be one that
// ParseRoom leaves as it is behind the "@" (ValidUID), or two users could share
// an inbox.
func Inbox(uid string) Room { return Room(inboxPrefix + uid) }

// ValidUID reports whether uid has an inbox of its own: it is not empty, NFC,
// without control characters, short enough for a room's name, and begins with
// no "@", which is what inboxes begin with.
func ValidUID(uid string) bool {
	room, err := ParseRoom(string(Inbox(uid)))
	return err == nil && uid != "" && room == Inbox(uid) && !strings.HasPrefix(uid, inboxPrefix)
}

// GuestPrefix begins the uid of every guest and of no other user.
const GuestPrefix = "guest-"

// IsGuest reports whether a uid is a guest's.
func IsGuest(uid string) bool { return strings.HasPrefix(uid, GuestPrefix) }

// InboxOwner returns whose inbox a room is; ok is false for any other room.
func InboxOwner(room Room) (uid string, ok bool) {
	return strings.CutPrefix(string(room), inboxPrefix)
}

// RoomToken writes a room's name as one token of a NATS subject, and that of an
// inbox as its owner's uid: which of the two it is says the subject's Space.
// What would be a separator or a wildcard there, and "=" itself, becomes =XX
// per byte.
func RoomToken(room Room) string {
	return escape(strings.TrimPrefix(string(room), inboxPrefix), tokenSafe)
}

// RoomKey writes a room's name, or another text, as a key of a KV bucket: every
// byte outside A-Z a-z 0-9 _ - becomes =XX. It has up to 3*MaxRoomBytes bytes
// and is case-sensitive, so not every file system takes it as a file name.
func RoomKey[S ~string](room S) string { return escape(string(room), keySafe) }

func tokenSafe(r rune) bool {
	switch r {
	case '=', '.', '*', '>':
		return false
	}
	return !unicode.IsControl(r) && !unicode.IsSpace(r)
}

func keySafe(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

const upperHex = "0123456789ABCDEF"

func escape(s string, safe func(rune) bool) string {
	i := 0
	for i < len(s) && keySafe(rune(s[i])) { // as nearly all are, and safe in both
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for _, r := range s[i:] {
		if safe(r) {
			b.WriteRune(r)
			continue
		}
		var raw [utf8.UTFMax]byte
		for _, c := range raw[:utf8.EncodeRune(raw[:], r)] {
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// unescape replaces every =XX; anything else stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "=") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
