package session

import (
	"slices"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Stats are the counters of a manager since it started. Any goroutine may read
// them.
type Stats struct {
	Connected atomic.Int64 // connections accepted
	Deflating atomic.Int64 // those of them that agreed on compression
	Received  atomic.Int64 // events from clients
	Frames    atomic.Int64 // messages written to clients, in bursts
	Bytes     atomic.Int64 // written to clients
	Writes    atomic.Int64 // system calls for it

	RefusedCapacity atomic.Int64 // before the upgrade, 503
	RefusedRate     atomic.Int64 // 429
	RefusedLogin    atomic.Int64 // 401
	RefusedOrigin   atomic.Int64 // 403
	RefusedRoom     atomic.Int64 // 400 and 403
	RefusedUpgrade  atomic.Int64 // no proper WebSocket handshake

	RefusedHook  atomic.Int64 // connections refused by Hooks.Connect or Join, or because these did not decide
	HookPayloads atomic.Int64 // payloads of Hooks.Publish that cannot be stored; answered unavailable
	HookWaits    atomic.Int64 // events refused because too many of their client wait for Hooks.Publish; answered unavailable

	RefusedSpeak atomic.Int64 // events into rooms and inboxes where their sender may not speak

	RefusedGuestNames atomic.Int64 // joins of guests that would have opened a room whose name shows otherwise than it is written
	RefusedGuestRooms atomic.Int64 // joins of guests that would have opened one room too many
	LimitedGuestRooms atomic.Int64 // joins of guests whose address had opened too many in that time

	LimitedUserRooms    atomic.Int64 // joins of users with a token who had opened too many new rooms in that time
	LimitedAddressRooms atomic.Int64 // joins of users with a token whose address had

	LimitedConnects       atomic.Int64 // new connections that an address's rate refused; among RefusedRate
	LimitedHandshakes     atomic.Int64 // TLS handshakes that it refused
	LimitedResumes        atomic.Int64 // those that wanted something replayed and owed for what was before; among RefusedRate
	LimitedLogins         atomic.Int64 // logins that an address's rate refused
	LimitedEvents         atomic.Int64 // events and empty frames that a client's rate refused; among RateLimited, as the following
	LimitedClientBytes    atomic.Int64 // events that the bytes of their client refused
	LimitedUserBytes      atomic.Int64 // of their user
	LimitedAddressBytes   atomic.Int64 // of their address
	LimitedRoomBytes      atomic.Int64 // of their room
	LimitedInboxSenders   atomic.Int64 // private messages beyond their sender's share of their receiver's inbox
	LimitedInboxes        atomic.Int64 // private messages that the rate of their receiver's inbox refused
	LimitedGuestInboxes   atomic.Int64 // private messages of guests that what guests may have stored in inboxes refused
	LimitedClientAnswers  atomic.Int64 // requests that what their client had been given refused
	LimitedUserAnswers    atomic.Int64 // their user
	LimitedAddressAnswers atomic.Int64 // their address
	LimitedReads          atomic.Int64 // requests for history that were not their user's, or address's, turn in time; answered busy
	SlowMessages          atomic.Int64 // connections closed because a message was not complete in time
	UnfinishedCut         atomic.Int64 // connections closed with 4001 because too much was held of messages that were not complete

	RateLimited atomic.Int64
	Panics      atomic.Int64 // of handlers
	Unsent      atomic.Int64 // messages for clients that were lost with the connection
	WriteErrors atomic.Int64

	SignalsLost atomic.Int64 // signals not given to clients whose queue was half full
	QueuesCut   atomic.Int64 // connections closed with 4001 because too much waited for all clients together
	PagesBusy   atomic.Int64 // requests for history that found too many others in hand; answered busy
	ResumesSlow atomic.Int64 // joins that were refused because the client had not taken what it was sent before; answered busy

	Errors errorCounters // error events sent, by code
	Closed closeCounters // connections ended, by close code
}

// errorCounters count error events by code. A code that a program's own handler
// made up counts as internal: the values of a metric's label must be limited.
type errorCounters [len(wire.EventCodes)]atomic.Int64

func (c *errorCounters) add(code wire.Code) {
	i := slices.Index(wire.EventCodes[:], code)
	if i < 0 {
		i = slices.Index(wire.EventCodes[:], wire.Internal)
	}
	c[i].Add(1)
}

// Each calls fn with every code and its count.
func (c *errorCounters) Each(fn func(code wire.Code, count int64)) {
	for i, code := range wire.EventCodes {
		fn(code, c[i].Load())
	}
}

// closeCodes are the codes that are counted one by one. Any other counts as the
// last one, and so does one of ours that a peer sent: it says nothing about
// this server.
var closeCodes = [...]wire.CloseCode{
	wire.CloseNormal, wire.CloseGoing, wire.CloseProtocol, wire.CloseAbnormal, wire.CloseTooBig,
	wire.CloseDraining, wire.CloseTooSlow, wire.CloseNoHeartbeat, wire.ClosePositionLost,
	wire.CloseTokenExpired, wire.CloseForbidden, wire.CloseReplaced, wire.CloseRemoved,
	wire.CloseRateLimit, wire.CloseProtocolErrors, wire.CloseNoStatus,
}

type closeCounters [len(closeCodes)]atomic.Int64

func (c *closeCounters) add(code wire.CloseCode, byPeer bool) {
	if byPeer && code >= 3000 {
		code = wire.CloseNoStatus
	}
	for i, known := range closeCodes {
		if known == code || i == len(closeCodes)-1 {
			c[i].Add(1)
			return
		}
	}
}

// Each calls fn with every code that is counted and its count; CloseNoStatus
// stands for all codes that clients made up.
func (c *closeCounters) Each(fn func(code wire.CloseCode, count int64)) {
	for i, code := range closeCodes {
		fn(code, c[i].Load())
	}
}
