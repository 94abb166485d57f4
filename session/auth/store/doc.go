// Package store keeps in NATS the state that the nodes of a cluster share for
// authentication, behind the interfaces of package auth:
//
//	tickets, err := store.NewTickets(ctx, nc, nil)
//	guests, err := store.NewGuests(ctx, nc, nil)
//	who := auth.Authenticator{Tickets: tickets, Guests: guests}
//
// There are three KV buckets: tickets in [TicketBucket], the guests' key in
// [KeyBucket], and revocations in [RevocationBucket]. Whoever can read the
// first two can log in as anybody, and whoever can write the third can lock
// anybody out or lift a revocation: on a shared NATS let only the nodes access
// them.
package store
