// Package store keeps in NATS what the nodes of a cluster share to know who a request is from, as package auth asks for it:
//
//	tickets, err := store.NewTickets(ctx, nc, nil)
//	guests, err := store.NewGuests(ctx, nc, nil)
//	who := auth.Authenticator{Tickets: tickets, Guests: guests}
//
// There are three KV buckets: tickets in [TicketBucket], the guests' key in [KeyBucket], and whose sessions were ended in [EndedBucket].
// Whoever may read the first two may log in as anybody, and who may write the third keeps anybody out or lets him in, so on a shared
// NATS give them to the nodes only.
package store
