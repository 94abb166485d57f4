//go:build linux

package hostile

import (
	"context"
	"testing"
	"time"
)

// eventually asks until the answer is nil.
func eventually(t *testing.T, what string, patience time.Duration, ask func(context.Context) error) {
	t.Helper()
	if err := within(t.Context(), patience, ask); err != nil {
		t.Fatalf("%s: not after %v: %v", what, patience, err)
	}
}

// within asks until the answer is nil, and returns the last one that was not.
func within(ctx context.Context, patience time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var why error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if why == nil || ctx.Err() == nil {
			why = err // and not that the time was over
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return why
		}
	}
}
