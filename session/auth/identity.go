package auth

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// MaxName is the most characters of a username and of an avatar id. Longer
	// ones are truncated: they are for display only.
	MaxName = 64
	// GuestName is the username of a guest who asked for none.
	GuestName = "guest"
	// guestPrefix begins every guest's uid and no user's.
	guestPrefix = wire.GuestPrefix
)

// Identity is who a session belongs to. It is immutable. A program that makes
// one itself can leave that to NewIdentity.
type Identity struct {
	UID      string    `json:"uid"`      // unique; a valid inbox name behind an "@"
	Username string    `json:"username"` // for display, see CleanName; never empty
	AvatarID string    `json:"avatar_id"`
	Guest    bool      `json:"guest"`     // not authenticated: anybody may choose the same name
	IssuedAt time.Time `json:"issued_at"` // when the credential was issued; zero: unknown, and refused as long as a revocation of the uid lasts
	Expires  time.Time `json:"expires"`   // when the session must end; zero: never
	Rooms    []string  `json:"rooms"`     // rooms it may enter, exact or a prefix and "*"; nil: every room; empty: none
	Speak    []string  `json:"speak"`     // where it may speak, by the same rules; nil: wherever it may enter, and to every user's inbox; empty: nowhere
}

// NewIdentity returns the identity of a user whom somebody else has
// authenticated, such as the site that the user is logged in at. c.UID must be
// valid in a token, the name and avatar are passed through CleanName, Rooms and
// Speak are normalized (NFC). Its error is an *Error of ErrBadCredential.
//
// IssuedAt is zero, as nobody knows it: while the user's sessions are ended for
// a time (Revocations), the user is refused. Who knows when the credential was
// issued, such as the time of the login that a cookie is from, sets IssuedAt:
// then a later login is let in at once. The time of the request is not it: it
// would let the same cookie in again.
func NewIdentity(c Claims) (Identity, error) {
	if wrong := checkUID(c.UID); wrong != "" {
		return Identity{}, refuse("the user id %q cannot be used: %s", c.UID, wrong)
	}
	claims := tokenClaims{Subject: c.UID, Name: c.Name, Avatar: text(c.AvatarID), Rooms: c.Rooms, Speak: c.Speak}
	id := claims.identity()
	id.Expires = c.Expires
	return id, nil
}

// needsUID reports whether it is a guest's without a uid.
func (id Identity) needsUID() bool { return id.Guest && id.UID == "" }

// MayEnter reports whether the identity may join room. Only the owner may join
// an inbox, "@uid"; for other rooms Rooms decides: a pattern is a room's name,
// or a prefix and "*".
func (id Identity) MayEnter(room wire.Room) bool {
	if owner, inbox := wire.InboxOwner(room); inbox {
		return owner == id.UID && owner != ""
	}
	if room == "" {
		return false
	}
	return id.Rooms == nil || matches(id.Rooms, string(room))
}

// MaySpeak reports whether the identity may publish into room: a room that it
// may enter, or, with a private message, the inbox of a user, "@uid". Unless
// Speak is nil, one of its patterns must match the room; for inboxes one such
// as "@support" or "@*", or "*", which matches everything. One's own inbox is
// always allowed.
func (id Identity) MaySpeak(room wire.Room) bool {
	if owner, inbox := wire.InboxOwner(room); inbox {
		return owner != "" && (owner == id.UID || id.Speak == nil || matches(id.Speak, string(room)))
	}
	return id.MayEnter(room) && (id.Speak == nil || matches(id.Speak, string(room)))
}

// matches reports whether one of the patterns is the room, or a prefix of it
// with "*".
func matches(patterns []string, room string) bool {
	for _, pattern := range patterns {
		if prefix, wild := strings.CutSuffix(pattern, "*"); wild && strings.HasPrefix(room, prefix) || pattern == room {
			return true
		}
	}
	return false
}

// NoRoom alone in a list for ParsePatterns means no room at all.
const NoRoom = "-"

// ParsePatterns parses patterns of rooms, exact or a prefix and "*", as given
// in flags, for Identity.Rooms and Speak. An empty list returns nil, NoRoom
// alone the empty list. The error names the pattern that is invalid.
func ParsePatterns(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	patterns := make([]string, 0, len(list))
	if len(list) == 1 && list[0] == NoRoom {
		return patterns, nil
	}
	for _, pattern := range list {
		clean, err := wire.ParseRoom(pattern)
		if err != nil {
			return nil, fmt.Errorf("auth: %q is no room: %w", pattern, err)
		}
		if strings.Contains(strings.TrimSuffix(string(clean), "*"), "*") {
			return nil, fmt.Errorf("auth: %q has a * before its end; write a room, or a prefix and *", pattern)
		}
		patterns = append(patterns, string(clean))
	}
	return patterns, nil
}

// checkUID returns what is wrong with the uid of a user, who is no guest; "" if
// it is valid.
func checkUID(uid string) string {
	switch {
	case uid == "":
		return "it is empty"
	case !utf8.ValidString(uid):
		return "it is not valid UTF-8"
	case strings.ContainsRune(uid, utf8.RuneError): // by which encoding/json replaces invalid UTF-8
		return "it contains the replacement character U+FFFD"
	case strings.HasPrefix(uid, "@"):
		return `it starts with "@"`
	case strings.HasPrefix(uid, guestPrefix):
		return `it starts with "` + guestPrefix + `", which is kept for guests`
	case strings.ContainsFunc(uid, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "it contains white space or control characters"
	case CleanName(uid) == "":
		return "it contains nothing that can be seen"
	case !wire.ValidUID(uid):
		return "it is longer than 63 characters, or not in the composed form (NFC) of Unicode"
	}
	return ""
}
