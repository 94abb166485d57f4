// Package session is one WebSocket connection: who may open it, what it may
// send, and the actor that alone writes to it.
//
// A [Manager] is mounted as an http.Handler, or is given connections that the
// program upgraded itself. Events are routed by their type to functions
// ([HandlerFunc]); those of rooms/wire/README.md are registered already, a program adds
// or replaces its own with [Manager.Handle].
//
// A program has its say in who may come ([Authenticator]) and what they may do
// ([Hooks]); package session/hooks asks a backend in any language.
//
// # Goroutines
//
// Each connection has one goroutine that reads frames and runs the handlers,
// one after the other, so that what a client sends is handled in order. What
// goes to the client, from rooms, handlers and timers, passes through the
// client actor's mailbox, which takes a goroutine only while there is something
// to write. An idle connection holds one goroutine.
package session
