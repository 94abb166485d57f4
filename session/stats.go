package session

import "sync/atomic"

// Stats counts what a manager did since it started. Any goroutine may read.
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

	RefusedHook atomic.Int64 // connections refused by Hooks.Connect or Join, or because these did not decide
	HookWaits   atomic.Int64 // events refused because too many of their client wait for Hooks.Publish; answered unavailable

	RefusedSpeak atomic.Int64 // events into rooms and inboxes where their sender may not speak

	RefusedGuestNames atomic.Int64 // joins of guests that would have opened a room whose name shows otherwise than it is written
	RefusedGuestRooms atomic.Int64 // joins of guests that would have opened one room too many
	LimitedGuestRooms atomic.Int64 // joins of guests whose address had opened too many in that time

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
