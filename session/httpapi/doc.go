// Package httpapi is the HTTP part of rooms/wire/README.md besides the
// WebSocket, for a program that assembles a server itself: the login that
// issues tickets, and the API for backends and operators.
//
//	http.Handle("/ws", manager)
//	http.Handle("/login", httpapi.NewLogin(authenticator, manager, httpapi.LoginOptions{}))
//	http.Handle("/api/", httpapi.NewAPI(engine, httpapi.APIOptions{Guard: httpapi.WithKey(key, manager)}))
//
// # Who may ask
//
// A caller of the API may do everything: publish as a service in every room,
// read every inbox, and end everybody's sessions. A Guard decides before the
// body is read. WithKey requires a key. LocalOnly, the default, allows programs
// on this machine; do not use it behind a proxy that adds no header such as
// X-Forwarded-For: every request through it would count as local.
//
// Login is for everybody whom the Issuer can authenticate;
// session.Config.AddressLoginRate limits the attempts of an address.
//
// # What is not in this package
//
// TLS, timeouts of requests, security headers and recovery from panics are up
// to the program, as they concern all of its paths: see http.Server. Bodies are
// limited here: an event to rooms.MaxEventBytes, a login to 4 KiB, a label to
// eight times wire.MaxLabelBytes; a longer one is answered 413.
package httpapi
