package auth

import "sync/atomic"

// Stats are the counters of an Authenticator. They may be read from any
// goroutine.
type Stats struct {
	RefusedInAddress atomic.Int64 // guests' tokens in a URL
	RefusedEnded     atomic.Int64 // revoked credentials
}
