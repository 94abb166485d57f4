// Take takes the events of a room, each once and in order, and goes on where it
// stopped: copy it, and replace what handle does.
//
//	go run ./testdata/examples/take -room general -to general.txt
//
// It is a durable JetStream consumer: the server remembers what was acknowledged,
// under the consumer's name, also while no such program runs. That alone is "at
// least once": an event that was handled, and whose ack was lost because the
// program or the server died in between, comes again. What makes it once is here:
// the sequence of the event is stored together with what was made of it, in one
// step, and an event whose sequence is not higher is passed over. With a database
// that is one transaction; here it is one line of a file.
//
// The log keeps 1000 events of a room and 24 h (--history, --history-age): a
// program that was away for longer misses what was dropped meanwhile.
package main

import (
	"bufio"
	"bytes"
	"context"
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

func main() {
	url := flag.String("nats", nats.DefaultURL, "NATS of the rooms")
	room := flag.String("room", "general", "whose events")
	name := flag.String("name", "take", "of the consumer: the server remembers by it how far this program is")
	path := flag.String("to", "events.txt", "file to write the events to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := take(ctx, *url, *room, *name, *path); err != nil {
		log.Fatal(err)
	}
}

func take(ctx context.Context, url, room, name, path string) error {
	out, err := open(path)
	if err != nil {
		return err
	}
	defer out.file.Close()
	// For ever: the server may be away for longer than this program knows.
	nc, err := nats.Connect(url, nats.Name("take "+room), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", url, err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := out.takeFrom(ctx, js, room, name)
		if out.err != nil {
			return out.err // going on would leave a hole
		}
		if ctx.Err() == nil {
			log.Printf("trying again: %v", err)
			pause(ctx, time.Second)
		}
	}
	return nil
}

// takeFrom handles what comes until it has to be asked for anew.
func (o *output) takeFrom(ctx context.Context, js jetstream.JetStream, room, name string) error {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	consumer, err := js.CreateOrUpdateConsumer(asked, "ROOMS", jetstream.ConsumerConfig{
		Durable:       name,
		FilterSubject: wire.EventSubject(room),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       10 * time.Second, // longer than handle takes; without an ack the event comes again
		MaxAckPending: 1,                // in order, also what comes again; where order is of no matter, more
	})
	if err != nil {
		return fmt.Errorf("the consumer %s: %w", name, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(100), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return fmt.Errorf("the consumer %s: %w", name, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the server is away: asked again when it is back
		}
		if err != nil {
			return fmt.Errorf("the next event: %w", err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("an event's sequence: %w", err)
		}
		if o.handle(meta.Sequence.Stream, msg.Data()); o.err != nil {
			return o.err
		}
		// An ack that does not arrive is no harm: the event comes again and is
		// passed over.
		if err := msg.Ack(); err != nil {
			log.Printf("event %d was not acknowledged: %v", meta.Sequence.Stream, err)
		}
	}
}

// output is what is made of the events: a line for each, its sequence and the
// event.
type output struct {
	file *os.File
	last uint64 // the sequence of the last line
	err  error  // what was handled cannot be stored
}

// handle does the work for one event, and remembers that it is done, in one.
func (o *output) handle(seq uint64, body []byte) {
	if seq <= o.last {
		log.Printf("event %d came again", seq)
		return
	}
	if _, _, err := wire.ReadBody(body); err != nil {
		log.Printf("event %d is none, and no client has seen it: %v", seq, err)
		return
	}
	line := fmt.Appendf(nil, "%d %s\n", seq, bytes.ReplaceAll(body, []byte("\n"), []byte(" "))) // in JSON a line break is white space
	if _, o.err = o.file.Write(line); o.err == nil {
		o.err = o.file.Sync()
	}
	o.last = seq
}

// open finds the last line, and cuts off one that was begun when the program died.
func open(path string) (*output, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	o, whole := &output{file: file}, int64(0)
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err == nil {
			_, err = fmt.Sscan(string(line), &o.last)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
		}
		whole += int64(len(line))
	}
	_, err = file.Seek(whole, io.SeekStart)
	if err = errors.Join(err, file.Truncate(whole)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return o, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
