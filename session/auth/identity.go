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
	// MaxName is the length of a username and of an avatar id in characters. What is longer is cut: a name is for display.
	MaxName = 64
	// GuestName is the username of a guest who gave none.
	GuestName = "guest"
	// guestPrefix starts every guest's uid and no other's.
	guestPrefix = wire.GuestPrefix
)

// Identity is who a session belongs to. It is a value; nobody changes it after it was made.
type Identity struct {
	UID      string    `json:"uid"`      // unique; a valid inbox name behind an "@"
	Username string    `json:"username"` // for display, cleaned by the rules of MaxName; never empty
	AvatarID string    `json:"avatar_id"`
	Guest    bool      `json:"guest"`     // the name proves nothing
	IssuedAt time.Time `json:"issued_at"` // when the credential was made; zero: it does not say
	Expires  time.Time `json:"expires"`   // when the session must end; zero: never
	Rooms    []string  `json:"rooms"`     // granted rooms, exact or a prefix and "*"; nil: every room; empty: none
	Speak    []string  `json:"speak"`     // where it may speak, by the same rules; nil: wherever it may enter, and to every user; empty: nowhere
}

// NewIdentity is who a user is by the word of somebody who knows, such as the site that the user is logged in at: c.UID must be one
// that a token could have, the other texts are cleaned by the rules of MaxName, Rooms and Speak composed (NFC). IssuedAt is now.
func NewIdentity(c Claims) (Identity, error) {
	if wrong := checkUID(c.UID); wrong != "" {
		return Identity{}, fmt.Errorf("auth: the user id %q cannot be used: %s", c.UID, wrong)
	}
	claims := tokenClaims{Subject: c.UID, Name: c.Name, Avatar: text(c.AvatarID), Rooms: c.Rooms, Speak: c.Speak}
	id := claims.identity()
	id.IssuedAt, id.Expires = time.Now(), c.Expires
	return id, nil
}

// unnamed reports whether it is a guest's that is to get a uid.
func (id Identity) unnamed() bool { return id.Guest && id.UID == "" }

// MayEnter reports whether the identity may join room. An inbox, "@uid", is open to its owner always and to nobody else ever; for
// other rooms the grant decides: a pattern is a room's name, or a prefix and "*".
func (id Identity) MayEnter(room wire.Room) bool {
	if owner, inbox := wire.InboxOwner(room); inbox {
		return owner == id.UID && owner != ""
	}
	if room == "" {
		return false
	}
	return id.Rooms == nil || matches(id.Rooms, string(room))
}

// MaySpeak reports whether the identity may put an event into room: a room that it may enter, or the
// inbox of a user, "@uid", to whom a private message goes. Where the right to speak is limited, a pattern must name the room; for
// private messages one such as "@support" or "@*", or "*", which is everything. One's own inbox is always open.
func (id Identity) MaySpeak(room wire.Room) bool {
	if owner, inbox := wire.InboxOwner(room); inbox {
		return owner != "" && (owner == id.UID || id.Speak == nil || matches(id.Speak, string(room)))
	}
	return id.MayEnter(room) && (id.Speak == nil || matches(id.Speak, string(room)))
}

// matches reports whether one of the patterns is the room, or a prefix of it and "*".
func matches(patterns []string, room string) bool {
	for _, pattern := range patterns {
		if prefix, wild := strings.CutSuffix(pattern, "*"); wild && strings.HasPrefix(room, prefix) || pattern == room {
			return true
		}
	}
	return false
}

// NoRoom is the pattern that stands alone for no room at all, where a list of patterns is written as flags.
const NoRoom = "-"

// ParsePatterns reads a list of rooms, exact or a prefix and "*", as people write it in flags, for Identity.Rooms and Speak: none
// is nil, NoRoom alone is the empty list.
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

// checkUID says what is wrong with the uid of a user who is no guest; "" if nothing is.
func checkUID(uid string) string {
	switch {
	case uid == "":
		return "it is empty"
	case !utf8.ValidString(uid):
		return "it is not valid UTF-8"
	case strings.ContainsRune(uid, utf8.RuneError): // to which encoding/json makes whatever is no character
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
