package baccarat

import (
	"maps"
	"slices"
)

// ResultOf is the result of two complete hands.
func ResultOf(round int, player, banker []Card) Result { return resultOf(round, player, banker) }

// EventTypes are those that Apply knows.
func EventTypes() []string { return slices.Sorted(maps.Keys(applies)) }

// WrittenBytes is what a uid takes as JSON.
func WrittenBytes(uid string) int { return writtenBytes(uid) }
