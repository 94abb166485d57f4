// Package tabletest finds out whether rules are what package table asks for: pure.
// Run plays a script through them and fails on whatever would have another node,
// or the same one after a restart, come to another table: rules that go by a
// clock, by chance, by the order of a map or by what is not in the state; a state
// that forgets a part of itself when it is written down; a panic on what a client
// may send.
//
// Goldens keeps what each version of rules has stored, and fails when a later one
// does not understand it.
//
// What cannot be seen from outside is not found: a fault that the script never
// comes to. Have a script pass through each phase of the game.
package tabletest
