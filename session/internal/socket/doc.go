// Package socket is the wire level of a WebSocket: the upgrade, reading frames
// and messages, writing frames. It knows no clients, rooms or events.
//
//   - [Upgrader] answers the handshake and agrees on compression.
//   - [Conn] is a connection, and whether the system reads and writes it without
//     waiting.
//   - [Reader] and [Upgraded] are a [Source] of messages: of a connection that
//     an Upgrader made, and of one that a program upgraded itself.
//   - [WriteBuffer] gathers frames and writes them with one system call.
//   - [CloseCode] says how a connection ended.
//
// A connection is read by one goroutine and written by one; nothing here has a
// goroutine of its own.
package socket
