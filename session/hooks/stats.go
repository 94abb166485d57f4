package hooks

import "sync/atomic"

// Stats counts what was asked of the backend. Any goroutine may read. Of each
// hook: Asked are questions that were sent; of these Refused were answered
// {"error":…}, and Failed not at all, or not with an answer; Overloaded were
// not sent, as too many were under way.
type Stats struct {
	LoginAsked, LoginRefused, LoginFailed, LoginOverloaded         atomic.Int64
	JoinAsked, JoinRefused, JoinFailed, JoinOverloaded             atomic.Int64
	PublishAsked, PublishRefused, PublishFailed, PublishOverloaded atomic.Int64

	JoinKept atomic.Int64 // joins let in by a yes from before
	Kept     atomic.Int64 // yeses that were kept
}

// counters are those of one hook.
type counters struct{ asked, refused, failed, overloaded *atomic.Int64 }
