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

// BenchmarkSealedStep is what it costs to sign a step, to verify it, and to seal and open
// what it hides.
func BenchmarkSealedStep(b *testing.B) {
	s, err := newSecret(make([]byte, SecretBytes), time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 300)
	by := s.signStep("table-1", 1000, body)
	b.Run("sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.signStep("table-1", 1000, body)
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.verifyStep(by, "table-1", body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.sealer.seal(body, forStep, "table-1", "1000")
		}
	})
	sealed := s.sealer.seal(body, forStep, "table-1", "1000")
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.sealer.open(sealed, forStep, "table-1", "1000"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
