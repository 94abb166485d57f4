// Package lobby knows which rooms there are on all nodes. Every node keeps a
// [Journal] of the rooms that it has open, with a version that rises with every
// change; the others ask it for a [Delta], what has changed since the version
// that they have, and put that into their [Directory]. From there comes a
// [List], which does not change any more and is given out in pages.
//
// The package is pure: it has no clock, no goroutine and no I/O. Nothing in it
// may be used by two goroutines at once, except a List.
package lobby
