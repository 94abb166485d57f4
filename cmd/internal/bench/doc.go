// Package bench measures what a room server costs, and compares it with others
// under the same load in the same run.
//
// The load is made in this process and is to be so cheap that the server is
// what is measured: connections are bare sockets in an epoll set (see reader),
// each with a few hundred bytes of state; frames are not decoded but searched
// for the mark that every message carries (see stamp), by which each member
// counts exactly what it got, and how late.
//
// The cost of the server is read from /proc of its processes, so it runs on
// Linux only; elsewhere Command.Run says so.
package bench
