package auth

import "sync/atomic"

// Stats counts what an Authenticator did since it was made. Any goroutine may read.
type Stats struct {
	RefusedInAddress atomic.Int64 // guests' tokens that came in a URL
	RefusedEnded     atomic.Int64 // credentials from before their user's sessions were ended
}
