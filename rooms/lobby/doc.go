// Package lobby lists the rooms of all nodes. Every node keeps a [Journal] of
// the rooms that are open on it, whose version increases with every change;
// other nodes ask it for a [Delta], the changes since the version that they
// have, and apply that to their [Directory]. That returns a [List], an
// immutable snapshot with pagination.
//
// The package is pure: it has no clock, no goroutine and no I/O. Only a List
// may be used by several goroutines at once.
package lobby
