// Package auth answers who a request is from: a JSON Web Token, a one-time ticket, or a guest, and whether the web page behind it
// may connect at all.
//
//	key, err := auth.ParseKey(keyFile)                  // HS256 secret, PEM public key, or JWKS
//	tickets, err := auth.NewTickets(ctx, nc, nil)
//	who := auth.Authenticator{Verifier: auth.NewVerifier(key), Tickets: tickets}
//	id, err := who.Identify(r)                          // *auth.Error says what to answer
//
// Every error of Identify and Login is a *[Error]: a sentence for the person at the other end that never repeats a credential, and
// a status. What this server needs to share with the others of its cluster (tickets, the guests' key) is in two NATS KV buckets,
// [TicketBucket] and [KeyBucket]; whoever may read them may log in as anybody, so on a shared NATS give them to the nodes only.
package auth
