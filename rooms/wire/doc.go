// Package wire is the protocol between processes: events and their JSON,
// WebSocket frames, error and close codes, names of rooms and their NATS
// subjects. It is pure: no clock, no I/O, no goroutine. Every function may be
// called from any goroutine.
//
// The contract it implements is README.md beside it, by example.
package wire
