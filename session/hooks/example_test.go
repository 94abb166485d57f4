package hooks_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
)

// A service that decides who enters and what is said, and what asks it.
func Example() {
	server, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	check(err)
	defer server.Close()

	nc, err := nats.Connect(server.URL())
	check(err)
	defer nc.Close()
	_, err = nc.QueueSubscribe("roomd.hook.join", "backend", func(m *nats.Msg) {
		check(m.Respond([]byte(`{"ok":true,"for_s":300}`))) // or {"error":"members only"}
	})
	check(err)
	_, err = nc.QueueSubscribe("roomd.hook.publish", "backend", func(m *nats.Msg) {
		if bytes.Contains(m.Data, []byte("damn")) {
			check(m.Respond([]byte(`{"error":"mind your words"}`))) // or {"ok":true,"payload":{"message":"***"}}
			return
		}
		check(m.Respond([]byte(`{"ok":true}`)))
	})
	check(err)
	check(nc.Flush())

	own, err := server.Connect("hooks")
	check(err)
	defer own.Close()
	h, err := hooks.New(own, hooks.Config{Join: hooks.OverNATS, Publish: hooks.OverNATS})
	check(err)
	defer h.Close()
	asked := h.Session() // for session.Config.Hooks; here we ask ourselves
	who := auth.Identity{UID: "ann"}
	fmt.Println(asked.Join(context.Background(), session.JoinRequest{Who: who, Room: "general"}))
	for _, text := range []string{"hello", "damn"} {
		_, err := asked.Publish(context.Background(), session.PublishRequest{
			Who: who, Room: "general", Event: []byte(`{"type":"new_message","payload":{"message":"` + text + `"}}`),
		})()
		fmt.Println(text+":", err)
	}
	// Output:
	// <nil>
	// hello: <nil>
	// damn: forbidden: mind your words
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
