// Package wire is everything of ours that crosses a process boundary: events
// and their JSON, WebSocket frames, error and close codes, room names and the
// NATS subjects made of them. It is pure: no clock, no I/O, no goroutine.
// Every function may be called from any goroutine.
//
// The contract it implements is README.md beside it, by example.
package wire
