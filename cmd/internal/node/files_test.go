package node

import "testing"

func TestShareFiles(t *testing.T) {
	for _, tt := range []struct{ limit, nats, http, sessions int }{
		{leastFiles, 36, 14, 42},
		{300, 41, 54, 164},
		{1024, 64, 224, 672},
		{20_000, 544, 4728, 14_184},
		{1 << 20, 544, maxHTTP, 1<<20 - 1088 - maxHTTP},
	} {
		got := shareFiles(tt.limit)
		if want := (fileShares{tt.limit, tt.nats, tt.http, tt.sessions}); got != want {
			t.Errorf("of %d: %+v, want %+v", tt.limit, got, want)
		}
		if got.http+got.sessions+2*got.nats > tt.limit {
			t.Errorf("more than %d are given away", tt.limit)
		}
	}
}

func TestMaxConnectionsFollowsTheFiles(t *testing.T) {
	n := &Node{files: shareFiles(1024)}
	if got := n.maxConnections(); got != 672 {
		t.Errorf("%d connections, want what the files allow", got)
	}
	n.cfg.MaxConnections = 5
	if got := n.maxConnections(); got != 5 {
		t.Errorf("%d connections, want what the flag says", got)
	}
}
