package rooms

import (
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func BenchmarkSecret(b *testing.B) {
	s, err := newSecret(make([]byte, SecretBytes), time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 400)
	by := s.sign(forLog, wire.FromUser, "general", body)
	for name, fn := range map[string]func(){
		"sign":   func() { s.sign(forLog, wire.FromUser, "general", body) },
		"author": func() { s.author(forLog, by, "general", body) },
		"id":     func() { s.id("general", "guest-kgsl1234567890", "c-1234", 1) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
}
