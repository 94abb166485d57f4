// Package auth answers who a request is from: a JSON Web Token, a one-time ticket, or a guest, and whether the web page behind it
// may connect at all.
//
//	key, err := auth.ParseKey(keyFile)                  // HS256 secret, PEM public key, or JWKS
//	tickets, err := auth.NewTickets(ctx, nc, nil)
//	who := auth.Authenticator{Verifier: auth.NewVerifier(key), Tickets: tickets}
//	id, err := who.Identify(r)                          // *auth.Error says what to answer
//
// Every error of Identify and Login is a *[Error]: a sentence for the person at the other end that never repeats a credential, and
// a status. What this server needs to share with the others of its cluster is in three NATS KV buckets: tickets in [TicketBucket], the
// guests' key in [KeyBucket], and whose sessions were ended in [EndedBucket]. Whoever may read the first two may log in as anybody, and
// who may write the third keeps anybody out or lets him in, so on a shared NATS give them to the nodes only.
package auth
