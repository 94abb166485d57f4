// Package auth answers who a request is from: a JSON Web Token, a one-time ticket, or a guest, and whether the web page behind it
// may connect at all.
//
//	key, err := auth.ParseKey(keyFile)                  // HS256 secret, PEM public key, or JWKS
//	tickets, err := store.NewTickets(ctx, nc, nil)      // of package auth/store
//	who := auth.Authenticator{Verifier: auth.NewVerifier(key), Tickets: tickets}
//	id, err := who.Identify(r)                          // *auth.Error says what to answer
//
// Every error of Identify and Login is a *[Error]: a sentence for the person at the other end that never repeats a credential, and
// a status. What the nodes of a cluster share is behind [Tickets], [Ended] and the secret of [NewGuests]; package auth/store keeps it in
// NATS. This package knows no NATS, so a program that only makes tokens ([Sign]) has no client of it.
package auth
