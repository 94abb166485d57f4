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
// once.
//
// The methods of a Client may be called from any goroutine, with one limit:
// the callbacks of Config run on the goroutine that reads, so a callback that
// waits for an answer or for Close waits for itself. Start a goroutine there.
package client
