package hooks

import "sync/atomic"

// Stats are the counters of the calls to the backend. They may be read from any
// goroutine. Of each hook: Asked counts the requests that were sent; of these
// Refused got {"error":…}, and Failed no response, or an invalid one;
// Overloaded were not sent, as too many were in flight.
type Stats struct {
	LoginAsked, LoginRefused, LoginFailed, LoginOverloaded         atomic.Int64
	JoinAsked, JoinRefused, JoinFailed, JoinOverloaded             atomic.Int64
	PublishAsked, PublishRefused, PublishFailed, PublishOverloaded atomic.Int64

	JoinKept atomic.Int64 // joins that were allowed from the cache
	Kept     atomic.Int64 // permissions that were cached
}

// counters are the counters of one hook.
type counters struct{ asked, refused, failed, overloaded *atomic.Int64 }
