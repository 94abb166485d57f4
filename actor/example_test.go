package actor_test

import (
	"context"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// account is an actor: its balance needs no lock.
type account struct {
	balance int
}

// deposit is a message to an account. Whoever wants an answer says where to.
type deposit struct {
	amount int
	result chan<- int
}

func (a *account) Receive(b *actor.Batch[deposit]) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		a.balance += m.amount
		if m.result != nil {
			m.result <- a.balance
		}
	}
}

func (a *account) Stopped(unread []deposit) {
	fmt.Println("closed with", a.balance)
}

func Example() {
	cfg := &actor.Config[deposit]{MaxMessages: 100}
	ref := actor.Spawn(cfg, func(*actor.Ref[deposit]) actor.Receiver[deposit] { return new(account) })

	result := make(chan int, 1)
	for _, m := range []deposit{{amount: 20}, {amount: 30, result: result}} {
		if err := ref.Send(m); err != nil {
			fmt.Println(err) // full or stopped: never a sender that hangs
		}
	}
	fmt.Println("balance", <-result)

	ref.Stop()
	<-ref.Done()
	fmt.Println(ref.Send(deposit{amount: 1}))
	// Output:
	// balance 50
	// closed with 50
	// actor: stopped
}

func ExampleGroup() {
	greeted := make(chan string)
	guests := actor.NewGroup(nil, time.Minute, func(name string, _ *actor.Ref[string]) actor.Receiver[string] {
		return messages[string](func(b *actor.Batch[string]) {
			for m, ok := b.Next(); ok; m, ok = b.Next() {
				greeted <- m + ", " + name
			}
		})
	})
	for _, name := range []string{"Ada", "Grace"} {
		if err := guests.Send(name, "Hello"); err != nil {
			fmt.Println(err)
		}
		fmt.Println(<-greeted)
	}
	fmt.Println(guests.Len(), "guests")
	if err := guests.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Hello, Ada
	// Hello, Grace
	// 2 guests
}
