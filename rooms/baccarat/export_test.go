package baccarat

// ResultOf is the result of two complete hands.
func ResultOf(round int, player, banker []Card) Result { return resultOf(round, player, banker) }
