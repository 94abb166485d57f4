// Package session is one WebSocket connection: who may open it, what it may
// send, and the actor that alone writes to it.
//
// A [Manager] is mounted as an http.Handler, or is given connections that the
// program upgraded itself. Events are routed by their type to functions
// ([HandlerFunc]); those of rooms/wire/README.md are registered already, a
// program adds or replaces its own with [Manager.Handle].
//
// A program has its say in who may come ([Authenticator]) and what they may do
// ([Hooks]); package session/hooks asks a backend in any language, and package
// session/httpapi has the login and the API over HTTP.
//
// # Goroutines
//
// Each connection has one goroutine that reads frames and runs the handlers,
// one after the other, so that what a client sends is handled in order. What
// goes to the client, from rooms, handlers and timers, passes through the
// client actor's mailbox, which takes a goroutine only while there is something
// to write. An idle connection holds one goroutine.
//
// # Why handlers are functions and not channels
//
// A channel per event type looks natural in Go: register chan Event, read it in
// a goroutine. It goes wrong in three places. A channel has no place for the
// answer: who sends the error for the id, and who notices that nobody did? It
// has one full state for everybody: a slow reader of one type blocks the client
// that sends it, or its events are dropped without a name. And a panic in the
// reading goroutine ends the process, while here it is caught at one boundary,
// answered with internal and logged.
//
// So a handler is a function. It runs on the goroutine that reads its client,
// so the events of one client are handled in order and those of different
// clients in parallel, and a returned error is the answer. What must be handled
// one at a time (a room, a client's socket) is an actor behind a mailbox:
// bounded, never blocking the sender, with a named outcome when it is full, and
// holding no goroutine while it is idle. Ten thousand idle clients are ten
// thousand small structs, not ten thousand goroutines waiting on channels.
//
// A channel is the right thing inside a handler's own program: a worker that is
// always there, where the sender should wait for it or where select has to wait
// for several things at once. A handler may send to such a channel; it should
// then say with busy that the channel is full.
package session
