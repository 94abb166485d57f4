package embedded

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

// holdDirEnv makes the test binary a process that starts a server on the
// directory it names and waits to be killed.
const holdDirEnv = "EMBEDDED_TEST_HOLD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdDirEnv); dir != "" {
		holdDir(dir)
	}
	goleak.VerifyTestMain(m)
}

// holdDir stores one message, says so on standard output, and waits for ever.
func holdDir(dir string) {
	s, err := Start(Config{Addr: InProcessOnly, StoreDir: dir, SyncAlways: true})
	if err == nil {
		err = storeOne(s, "from the dead")
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("holding")
	select {}
}

func storeOne(s *Server, body string) error {
	nc, err := s.Connect("writer")
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "T", Subjects: []string{"t"}}); err != nil {
		return err
	}
	_, err = js.Publish(ctx, "t", []byte(body))
	return err
}

// start starts a server for one test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lastBody reads the last message that storeOne left.
func lastBody(t *testing.T, nc *nats.Conn) string {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "T")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	return string(msg.Data)
}

// echo proves that two connections reach the same server.
func echo(t *testing.T, responder, requester *nats.Conn) {
	t.Helper()
	sub, err := responder.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := responder.Flush(); err != nil {
		t.Fatal(err)
	}
	answer, err := requester.Request("echo", []byte("hello"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if string(answer.Data) != "hello" {
		t.Fatalf("echo answered %q", answer.Data)
	}
}
