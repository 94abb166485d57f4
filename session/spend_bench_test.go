package session

import (
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// BenchmarkSpend is what an event costs that is within all budgets; "limiter"
// is what its rate alone cost with x/time/rate.
func BenchmarkSpend(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Rate, cfg.RateBytes, cfg.RoomBytes = 1e12, 1<<60, 1<<60
	m := &Manager{cfg: cfg, eng: quietEngine{}, started: time.Now(), budgets: newBudgets(cfg)}
	for name, from := range map[string]address{"of an address": {key: "192.0.2.1"}, "of this machine": {exempt: true}} {
		c := &Client{m: m, who: auth.Identity{UID: "ann"}, from: from}
		c.openAccounts()
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if c.spend(m.now(), 200) != nil || c.spendRoom("general", 200) != nil {
					b.Fatal("refused")
				}
			}
		})
	}
	b.Run("limiter", func(b *testing.B) {
		limiter := rate.NewLimiter(1e12, 1e6)
		for b.Loop() {
			if !limiter.Allow() {
				b.Fatal("refused")
			}
		}
	})
}
