//go:build linux

package hostile

import (
	"testing"
	"time"
)

// What the bystanders feel of each other and of the machine, to compare with.
func TestNobodyAttacks(t *testing.T) {
	a := begin(t, setup{name: "none"})
	pause(t.Context(), lasts(2*time.Second, 20*time.Second))
	a.end()
}
