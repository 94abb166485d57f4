// Package auth authenticates requests, by a JSON Web Token, a one-time ticket
// or as a guest, and checks their origin.
//
//	key, err := auth.ParseKey(keyFile)                  // HS256 secret, PEM public key, or JWKS
//	tickets, err := store.NewTickets(ctx, nc, nil)      // of package auth/store
//	who := auth.Authenticator{Verifier: auth.NewVerifier(key), Tickets: tickets}
//	id, err := who.Identify(r)                          // *auth.Error says what to answer
//
// Every error of Identify and Login is an *[Error], or comes from
// [Authenticator.Ask]: a sentence for the user that never contains a
// credential, and a status. The state that the nodes of a cluster share is
// behind [Tickets], [Revocations] and the secret of [NewGuests]; package
// auth/store keeps it in NATS. This package does not import NATS, so a program
// that only makes tokens ([SignToken]) does not link its client.
//
// A program that identifies its users itself makes an [Identity] with
// [NewIdentity]. Ending a user's sessions for a time (rooms.kick, the API) keeps
// that user out if the session.Manager has the [Revocations]
// (session.Config.Revocations) that rooms.Config.EndUser adds to: it checks them
// for every Authenticator. An identity whose IssuedAt is zero is refused until
// that time is over; one issued after the call is let in.
package auth
