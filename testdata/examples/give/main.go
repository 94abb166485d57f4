// Give puts events into a room: copy it into the service that has something to
// say. It reads events from its input, one per line, each with an id of its
// own, and prints the sequence under which each is stored:
//
//	echo '{"type":"round_result","id":"round-42","payload":{"winner":"banker"}}' |
//	  go run ./testdata/examples/give -room general
//	round-42 17
//
// An event counts when its pub ack is here. Without one nobody knows whether it
// was stored, so it is sent again, under the same id, by which the log stores
// it once and answers where, as long as that is within 2 minutes of the first
// time. After that this program ends and says which event it was, and somebody
// has to look whether it is there (rooms.history).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	attempt = 5 * time.Second   // how long an ack is waited for
	giveUp  = 100 * time.Second // after the first attempt; with the last one less than the 2 minutes in which an id counts
)

func main() {
	url := flag.String("nats", nats.DefaultURL, "NATS of the rooms")
	room := flag.String("room", "general", "to put the events into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := give(ctx, *url, *room, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func give(ctx context.Context, url, name string, from io.Reader, to io.Writer) error {
	room, err := wire.ParseRoom(name)
	if err != nil {
		return err
	}
	// Nothing is buffered while NATS is away: what was not sent is tried again
	// here.
	nc, err := nats.Connect(url, nats.Name("give "+name), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return fmt.Errorf("connect to NATS as -nats says: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var ev struct{ ID string }
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil || ev.ID == "" {
			return fmt.Errorf("%q is no event with an id", lines.Bytes())
		}
		// The log takes everything; what is no event is dropped behind it, and
		// told on room.<room>.rejected alone.
		if _, _, err := wire.ReadBody(lines.Bytes()); err != nil {
			return fmt.Errorf("event %s: %w", ev.ID, err)
		}
		seq, err := store(ctx, js, wire.EventSubject(room), ev.ID, lines.Bytes())
		if err != nil {
			return fmt.Errorf("event %s: %w", ev.ID, err)
		}
		if _, err := fmt.Fprintln(to, ev.ID, seq); err != nil {
			return err
		}
	}
	return lines.Err()
}

// store returns when the event is in the log, with its sequence there.
func store(ctx context.Context, js jetstream.JetStream, subject, id string, body []byte) (seq uint64, err error) {
	for begun := time.Now(); ; {
		tried, cancel := context.WithTimeout(ctx, attempt)
		// Ids are of all rooms and all services together: make yours unlike
		// others'.
		ack, err := js.Publish(tried, subject, body, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		cancel()
		switch {
		case err == nil:
			return ack.Sequence, nil
		case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrAuthorization):
			return 0, err // will not get better
		case ctx.Err() != nil || time.Since(begun) > giveUp:
			return 0, fmt.Errorf("it is not known whether it was stored: %w", err)
		}
		log.Printf("event %s is sent again: %v", id, err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
