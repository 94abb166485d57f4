package baccarat

import (
	"fmt"
	"strings"
)

// Ranks and suits as they are written, in the order of an unshuffled deck.
const (
	ranks = "A23456789TJQK"
	suits = "SHDC"

	// Decks is how many decks a shoe has, and ShoeCards how many cards.
	Decks     = 8
	deckCards = len(ranks) * len(suits)
	ShoeCards = Decks * deckCards
)

// Card is one of 52 by number: suit by suit in the order SHDC, ace to king. It is
// written as rank and suit, "TD" is the ten of diamonds.
type Card uint8

// ParseCard reads a card as it is written.
func ParseCard(s string) (Card, error) {
	if len(s) == 2 {
		rank, suit := strings.IndexByte(ranks, s[0]), strings.IndexByte(suits, s[1])
		if rank >= 0 && suit >= 0 {
			return Card(suit*len(ranks) + rank), nil
		}
	}
	return 0, fmt.Errorf("%q is no card: a rank of %s and a suit of %s, as in 8H or TD", s, ranks, suits)
}

func (c Card) rank() int { return int(c) % len(ranks) }

// String is the card as it is written.
func (c Card) String() string {
	return string([]byte{ranks[c.rank()], suits[int(c)/len(ranks)]})
}

// Points are what the card counts in a hand: an ace 1, a ten or a face nothing.
func (c Card) Points() int {
	if n := c.rank() + 1; n < 10 {
		return n
	}
	return 0
}

// burned is how many cards are burned when it is the first of a shoe.
func (c Card) burned() int { return min(c.rank()+1, 10) }

// MarshalText implements encoding.TextMarshaler.
func (c Card) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Card) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCard(string(text))
	return err
}
