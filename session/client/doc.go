// Package client is a client of a room server that stays connected: it joins
// rooms, publishes with acknowledgement, and after a lost connection resumes
// every room from its position, so that no event is missed or delivered twice.
//
//	c, err := client.Dial(ctx, client.Config{
//		URL:      "ws://localhost:3000/ws",
//		Username: "percy",
//		OnEvent:  func(ev wire.Event) { fmt.Println(ev.Type, string(ev.Payload)) },
//	})
//	if err != nil { … }
//	defer c.Close()
//	ack, err := c.Publish(ctx, "general", wire.TypeSendMessage, wire.SendMessage{Message: "hi"})
//
// A request is pending until the server answers it with an ack or an error. If
// the connection is lost before that, it is sent again with the same ID on the
// next one, in the same order; the server stores events with the same ID once.
// It remembers an ID only for a while, and only for the same uid: an event that
// was written and is not answered within ResendFor is not sent again, nor after
// a reconnect with another uid, as happens to a guest whose token is not
// accepted any more. Such a request fails with ErrOutcomeUnknown. One that was
// never written does not expire, and is sent with whatever uid the connection
// has then; use another Client for another user. Requests that store nothing,
// such as joins and get_history, are sent again without limit.
//
// A room that the server refuses to join again for the moment (a code that is
// Retryable, as of a table that has stopped) costs only itself: the connection
// and the other rooms go on, and the room is tried again after a pause that grows
// like that of a reconnect. What is published to it waits until it is joined
// again: what was never written for as long as its context lets it, the rest until
// ResendFor. It counts as pending (Config.Outbox). Each refusal comes to OnEvent. If
// it is the inbox that is refused, the Client reconnects.
//
// At a table what was decided at once has one position, and comes as one event.
// A program that goes by the events in it reads each with wire.EachOf:
//
//	OnEvent: func(ev wire.Event) {
//		events, err := wire.EachOf(ev)
//		…
//	}
//
// OnGap is called if a room was resumed without all missed events, or its log
// was rolled back. The position is then the server's, even if it is lower.
//
// The methods of a Client may be called from any goroutine. But callbacks run
// on the goroutine that reads, so one that waits for an answer or for Close
// deadlocks: start a goroutine for that.
package client
