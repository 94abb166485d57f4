// Package client is a client of a room server that stays connected: it joins
// rooms, publishes with acknowledgement, and after a lost connection comes
// back to every room at the position where it was, so that nothing is missed
// and nothing comes twice.
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
// A request is kept until the server has closed it with an ack or an error. When
// the connection is lost before that, it is sent again under the same id on
// the next one, in the same order; the server stores what carries the same id
// once. It knows an id only for a while, and only under the uid that used it:
// an event that was written once and is not answered within ResendFor of that
// is not sent again, nor when we come back under another uid, as a guest
// whose token is not taken any more does. It ends with ErrOutcomeUnknown. What
// was never written does not age, and goes out under whatever uid we have then;
// a program that logs in another user takes another Client for it. Requests
// that store nothing, such as joins and get_history, are sent again without
// limit.
//
// OnGap is told when a room came back without all that was missed, or was
// rolled back. The position is then the server's, even if it is lower.
//
// The methods of a Client may be called from any goroutine, with one limit:
// the callbacks of Config run on the goroutine that reads, so a callback that
// waits for an answer or for Close waits for itself. Start a goroutine there.
package client
