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

	RefusedSpeak atomic.Int64 // events into rooms and inboxes where their sender may not speak

	Errors      atomic.Int64 // error events sent
	RateLimited atomic.Int64
	Panics      atomic.Int64 // of handlers
	Unsent      atomic.Int64 // messages for clients that were lost with the connection
	WriteErrors atomic.Int64

	Closed closeCounters // connections ended, by close code
}
