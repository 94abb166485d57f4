package wire

// CloseCode is the status of a WebSocket close frame. Its range says what a
// client does next: see Reconnect.
type CloseCode uint16

// Close codes of RFC 6455 section 7.4 that the server sends or reports, and
// those of README.md.
const (
	CloseNormal   CloseCode = 1000
	CloseGoing    CloseCode = 1001
	CloseProtocol CloseCode = 1002
	CloseNoStatus CloseCode = 1005 // never on the wire
	CloseAbnormal CloseCode = 1006 // never on the wire
	CloseBadUTF8  CloseCode = 1007
	CloseTooBig   CloseCode = 1009
	CloseRestart  CloseCode = 1012

	CloseDraining     CloseCode = 4000
	CloseTooSlow      CloseCode = 4001
	CloseNoHeartbeat  CloseCode = 4002
	ClosePositionLost CloseCode = 4003

	CloseTokenExpired   CloseCode = 4500
	CloseForbidden      CloseCode = 4501
	CloseReplaced       CloseCode = 4502
	CloseRemoved        CloseCode = 4503
	CloseRateLimit      CloseCode = 4504
	CloseProtocolErrors CloseCode = 4505
)

var closeReasons = map[CloseCode]string{
	CloseNormal:         "normal",
	CloseGoing:          "going away",
	CloseProtocol:       "protocol error",
	CloseNoStatus:       "no status",
	CloseAbnormal:       "connection lost",
	CloseBadUTF8:        "invalid UTF-8",
	CloseTooBig:         "message too big",
	CloseRestart:        "service restart",
	CloseDraining:       "draining",
	CloseTooSlow:        "too slow",
	CloseNoHeartbeat:    "no heartbeat",
	ClosePositionLost:   "position lost",
	CloseTokenExpired:   "token expired",
	CloseForbidden:      "forbidden",
	CloseReplaced:       "replaced by a newer session",
	CloseRemoved:        "removed by an operator",
	CloseRateLimit:      "rate limit",
	CloseProtocolErrors: "protocol errors",
}

// String is the reason sent in the close frame and used as a metric label: a
// peer may close with any number, so all those that are not named above share
// one.
func (c CloseCode) String() string {
	if reason, ok := closeReasons[c]; ok {
		return reason
	}
	return "other"
}

// Sendable reports whether c may be in a close frame: RFC 6455 section 7.4.
func (c CloseCode) Sendable() bool {
	switch c {
	case 1004, CloseNoStatus, CloseAbnormal, 1015:
		return false
	}
	return c >= 1000 && c <= 1014 || c >= 3000 && c <= 4999
}

// Reconnect reports whether a client that was closed with c connects again.
func (c CloseCode) Reconnect() bool {
	switch c {
	case CloseGoing, CloseAbnormal, CloseRestart:
		return true
	}
	return c >= 4000 && c <= 4499
}

// KeepsSeat reports whether a client closed with c is expected back, so that
// its seat in a room is kept for the grace period: the connection was lost, or
// was ended for a reason that resume, or a new credential, mends. Of the codes
// that a client chose itself only those from 4000 on count: see KeptByPeer.
func (c CloseCode) KeepsSeat() bool {
	return c == CloseTokenExpired || c != CloseGoing && c.Reconnect()
}

// KeptByPeer is KeepsSeat of a code that the client chose: one from 4000 to
// 4499 says that it comes back, any other that it has left.
func (c CloseCode) KeptByPeer() bool { return c >= CloseDraining && c.Reconnect() }
