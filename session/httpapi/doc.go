// Package httpapi is the HTTP side of rooms/wire/README.md beside the WebSocket,
// for a program that puts a server together itself: the login that gives a
// ticket, and the API that a backend, an operator or a terminal asks.
//
//	http.Handle("/ws", manager)
//	http.Handle("/login", httpapi.NewLogin(authenticator, manager, httpapi.LoginOptions{}))
//	http.Handle("/api/", httpapi.NewAPI(engine, httpapi.APIOptions{Guard: httpapi.WithKey(key, manager)}))
//
// # Who may ask
//
// Who may use the API may do everything: speak as a service in every room, read
// every inbox, and end everybody's sessions. A Guard decides, before anything is
// read. WithKey takes who has a key. LocalOnly, the default, takes programs of
// this machine; it is not for a server behind a proxy that does not say that it
// is one (X-Forwarded-For): all that comes through that is from this machine.
//
// Login is for everybody whom the Issuer knows; session.Config.AddressLoginRate
// bounds how often an address may try.
//
// # What is not in here
//
// TLS, deadlines of requests, security headers and a recovery from panics are
// the program's, as they are the same for all of its paths: see http.Server.
// Bodies are bounded here: events by rooms.MaxEventBytes, a login by 4 KiB, a
// label by eight times wire.MaxLabelBytes; a longer one is answered 413.
package httpapi
