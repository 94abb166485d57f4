package baccarat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// CutCards is how many cards lie behind the cut card.
const CutCards = 16

// Seed is what a shoe is shuffled by.
type Seed [32]byte

// Commit is what is told of a seed before the first card: the SHA-256 of its
// bytes, in hex.
func (s Seed) Commit() string {
	sum := sha256.Sum256(s[:])
	return hex.EncodeToString(sum[:])
}

// String is the seed in hex.
func (s Seed) String() string { return hex.EncodeToString(s[:]) }

// ParseSeed reads a seed in hex.
func ParseSeed(text string) (s Seed, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(s) {
		return s, fmt.Errorf("%q is no seed: it has %d hex digits", text, 2*len(s))
	}
	copy(s[:], b)
	return s, nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Seed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Seed) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeed(string(text))
	return err
}

// Shuffle is the order of the cards in the shoe of a seed. Anybody can check it,
// in any language:
//
//   - Numbers: block n, from 0, is HMAC-SHA256 with the seed as its key of the 7
//     bytes "shuffle" and n as 8 bytes, big-endian. Each block of 32 bytes is 8
//     numbers of 4 bytes, big-endian, taken in order, block after block.
//   - The cards lie as in new decks: 8 times spades, hearts, diamonds, clubs, each
//     ace to king.
//   - For i from 415 down to 1, the card at i changes places with the one at
//     j = x mod (i+1), x being the next number that is below the largest
//     multiple of i+1 that is not above 2^32; numbers that are not are passed
//     over.
func Shuffle(seed Seed) (shoe [ShoeCards]Card) {
	for i := range shoe {
		shoe[i] = Card(i % deckCards)
	}
	draw := numbers{seed: seed}
	for i := len(shoe) - 1; i > 0; i-- {
		j := draw.below(uint64(i + 1))
		shoe[i], shoe[j] = shoe[j], shoe[i]
	}
	return shoe
}

// numbers is the sequence of random numbers that a seed stands for.
type numbers struct {
	seed  Seed
	block uint64 // the next one
	rest  []byte // of the present one
}

func (n *numbers) next() uint64 {
	if len(n.rest) == 0 {
		mac := hmac.New(sha256.New, n.seed[:])
		mac.Write(binary.BigEndian.AppendUint64([]byte("shuffle"), n.block))
		n.rest = mac.Sum(nil)
		n.block++
	}
	x := binary.BigEndian.Uint32(n.rest)
	n.rest = n.rest[4:]
	return uint64(x)
}

// below is the next number modulo m, without bias.
func (n *numbers) below(m uint64) uint64 {
	for limit := 1 << 32 / m * m; ; {
		if x := n.next(); x < limit {
			return x % m
		}
	}
}
