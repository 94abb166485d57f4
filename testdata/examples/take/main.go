// Take takes the events of a room, each once and in order, and goes on where it
// stopped: copy it, and replace what handle does.
//
//	go run ./testdata/examples/take -room general -to general.txt
//
// It is a durable JetStream consumer: the server remembers what was
// acknowledged, under the consumer's name, also while no such program runs.
// That alone is "at least once": an event that was handled, and whose ack was
// lost because the program or the server died in between, comes again. What
// makes it once is here: the sequence of the event is stored together with what
// was made of it, in one step, and an event whose sequence is not higher is
// passed over. With a database that is one transaction; here it is one line of
// a file.
//
// The log keeps 1000 events of a room and 24 h (--history, --history-age): a
// program that was away for longer misses what was dropped meanwhile.
//
// The consumer is created by whoever may: beside a roomd of one's own by this
// program, when it starts. On a cluster with the users of testdata/cluster a
// service may take only from the one consumer that it is given, so somebody
// with the nodes' user creates it once, and the service runs without that
// right:
//
//	take -nats nats://node:…@127.0.0.1:4222 -room general -create
//	take -nats nats://service:…@127.0.0.1:4222 -js rooms.js -room general -to general.txt
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
	var from source
	flag.StringVar(&from.url, "nats", nats.DefaultURL, "NATS of the rooms")
	flag.StringVar(&from.api, "js", jetstream.DefaultAPIPrefix, "prefix of JetStream's API there: rooms.js for a service of testdata/cluster")
	from.room = "general"
	flag.Func("room", "whose events (default general)", func(name string) (err error) {
		from.room, err = wire.ParseRoom(name)
		return err
	})
	flag.StringVar(&from.name, "name", "take", "of the consumer: the server remembers by it how far this program is")
	path := flag.String("to", "events.txt", "file to write the events to")
	create := flag.Bool("create", false, "make the consumer, or bring it to what it should be, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return take(ctx, from, *path) }
	if *create {
		run = func() error { return from.make(ctx) }
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func take(ctx context.Context, from source, path string) error {
	out, err := open(path)
	if err != nil {
		return err
	}
	defer out.file.Close()
	// For ever: the server may be away for longer than this program knows.
	nc, js, err := from.connect(nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer nc.Close()
	for ctx.Err() == nil {
		err := out.takeFrom(ctx, js, from)
		if out.err != nil {
			return out.err // going on would leave a gap
		}
		if ctx.Err() == nil {
			log.Printf("trying again: %v", err)
			pause(ctx, time.Second)
		}
	}
	return nil
}

// takeFrom handles what comes until it has to be asked for anew.
func (o *output) takeFrom(ctx context.Context, js jetstream.JetStream, from source) error {
	consumer, err := from.find(ctx, js)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(100), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return fmt.Errorf("the consumer %s: %w", from.name, err)
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

// source is where the events come from.
type source struct {
	url  string
	api  string // prefix of JetStream's API
	room wire.Room
	name string // of the consumer
}

const (
	stream   = "ROOMS"
	patience = 5 * time.Second // how long NATS may take to answer about the consumer
)

func (s source) connect(more ...nats.Option) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(s.url, append(more, nats.Name("take "+string(s.room)))...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS as -nats says: %w", err)
	}
	js, err := jetstream.NewWithAPIPrefix(nc, s.api)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("use JetStream as -js says: %w", err)
	}
	return nc, js, nil
}

// consumer is what the consumer should be.
func (s source) consumer() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       s.name,
		FilterSubject: wire.EventSubject(s.room),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       10 * time.Second, // longer than handle takes; without an ack the event comes again
		MaxAckPending: 1,                // in order, also what comes again; where order is of no matter, more
	}
}

// make creates the consumer, for a service that may not do it.
func (s source) make(ctx context.Context) error {
	nc, js, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := js.CreateOrUpdateConsumer(ctx, stream, s.consumer()); err != nil {
		return fmt.Errorf("make the consumer %s: %w", s.name, err)
	}
	return nil
}

// find returns the consumer, and creates it where there is none.
func (s source) find(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := js.Consumer(ctx, stream, s.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if found, err = js.CreateConsumer(ctx, stream, s.consumer()); err != nil {
			return nil, fmt.Errorf("make the consumer %s: %w; a user who may not has it made, by -create with the nodes' user", s.name, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for the consumer %s: %w", s.name, err)
	}
	has, want := found.CachedInfo().Config, s.consumer()
	if has.FilterSubject != want.FilterSubject || has.AckPolicy != want.AckPolicy || has.MaxAckPending != want.MaxAckPending {
		return nil, fmt.Errorf("the consumer %s is of %s, acks %s, %d at once, and should be of %s, acks %s, %d at once: write another -name, or change it with -create",
			s.name, has.FilterSubject, has.AckPolicy, has.MaxAckPending, want.FilterSubject, want.AckPolicy, want.MaxAckPending)
	}
	return found, nil
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

// open finds the last line, and cuts off one that was begun when the program
// died.
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
