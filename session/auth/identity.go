package auth

import (
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
	guestPrefix = "guest-"
)

// Identity is who a session belongs to. It is a value; nobody changes it after it was made.
type Identity struct {
	UID      string    `json:"uid"`      // unique; a valid inbox name behind an "@"
	Username string    `json:"username"` // for display, cleaned by the rules of MaxName; never empty
	AvatarID string    `json:"avatar_id"`
	Guest    bool      `json:"guest"`   // the name proves nothing
	Expires  time.Time `json:"expires"` // when the session must end; zero: never
	Rooms    []string  `json:"rooms"`   // granted rooms, exact or a prefix and "*"; nil: every room; empty: none
}

// MayEnter reports whether the identity may join room, given in its one spelling (wire.CleanRoom). An inbox, "@uid", is open to
// its owner always and to nobody else ever; for other rooms the grant decides: a pattern is a room's name, or a prefix and "*".
func (id Identity) MayEnter(room string) bool {
	if owner, inbox := wire.InboxOwner(room); inbox {
		return owner == id.UID && owner != ""
	}
	if room == "" {
		return false
	}
	if id.Rooms == nil {
		return true
	}
	for _, pattern := range id.Rooms {
		if prefix, wild := strings.CutSuffix(pattern, "*"); wild && strings.HasPrefix(room, prefix) || pattern == room {
			return true
		}
	}
	return false
}

// checkUID says what is wrong with the uid of a user who is no guest; "" if nothing is.
func checkUID(uid string) string {
	switch {
	case uid == "":
		return "it is empty"
	case !utf8.ValidString(uid):
		return "it is not valid UTF-8"
	case strings.HasPrefix(uid, "@"):
		return `it starts with "@"`
	case strings.HasPrefix(uid, guestPrefix):
		return `it starts with "` + guestPrefix + `", which is kept for guests`
	case strings.ContainsFunc(uid, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "it contains white space or control characters"
	case !wire.ValidUID(uid):
		return "it is longer than 63 characters, or not in the composed form (NFC) of Unicode"
	}
	return ""
}

// cleanName makes a name fit for display: valid UTF-8 without control characters and without the marks that change the direction
// of the text around them, no white space at its ends, at most MaxName characters.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.TrimSpace(name)
	count := 0
	for i := range name {
		if count == MaxName {
			return strings.TrimSpace(name[:i])
		}
		count++
	}
	return name
}
